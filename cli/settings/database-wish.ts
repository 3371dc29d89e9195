import { type DatabaseWish, engineError } from '../../engine/index.ts';

/** What the command line says of the database that is restored. */
export interface DatabaseWishOptions {
  readonly table: readonly string[];
  readonly schema: readonly string[];
  readonly alongside?: true;
  /** False for --no-database-owner; true where neither was given. */
  readonly databaseOwner?: string | boolean;
  readonly grants: boolean;
  readonly tablespace: readonly string[];
}

/** USAGE. */
export function databaseWish(options: DatabaseWishOptions): DatabaseWish {
  const { table, schema, databaseOwner, grants } = options;
  const role = typeof databaseOwner === 'string' ? { role: databaseOwner } : undefined;
  return {
    tables: table.length > 0 ? table : undefined,
    schemas: schema.length > 0 ? schema : undefined,
    isAlongside: options.alongside,
    owners: { owner: role ?? (databaseOwner === false ? 'restorer' : 'keep'), grants },
    tablespaces: new Map(options.tablespace.map(pairOf)),
  };
}

function pairOf(text: string): [old: string, name: string] {
  const [, old, name] = /^([^=]+)=([^=]+)$/.exec(text) ?? [];
  if (old !== undefined && name !== undefined) return [old, name];
  throw engineError('USAGE', `Cannot use --tablespace ${text}: it is not OLD=NEW`, {
    remedy: 'Give it as OLD=NEW, such as fast=pg_default.',
  });
}
