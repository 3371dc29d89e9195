import type { ClientBase } from 'pg';
import { engineError } from '../../../../errors.ts';
import { databaseError } from '../../connect/failure.ts';

/** A boolean as the server writes it. */
export type Flag = 't' | 'f';

/** Runs one catalog query; every value comes as the server's text, whatever parsers the client has. */
export type Select = <T>(sql: string, parameters?: readonly string[]) => Promise<T[]>;

const asText = { getTypeParser: () => (value: string) => value };

/** What the text of a definition depends on, beside the catalogs. */
const settings: readonly (readonly [string, string])[] = [
  ['client_encoding', 'UTF8'],
  ['search_path', ''],
  ['quote_all_identifiers', 'off'],
  ['standard_conforming_strings', 'on'],
  ['TimeZone', 'UTC'],
  ['DateStyle', 'ISO, YMD'],
  ['IntervalStyle', 'postgres'],
  ['extra_float_digits', '3'],
  ['bytea_output', 'hex'],
  ['lc_monetary', 'C'],
];

export interface Server {
  /** 180004 for 18.4. */
  readonly versionNumber: number;
}

/**
 * Runs a reader of the catalogs under settings that make equal catalogs give equal text. They are local to the
 * transaction that the client must be in; the client encoding is put back.
 */
export async function withSettledText<T>(
  client: ClientBase,
  body: (select: Select, server: Server) => Promise<T>,
): Promise<T> {
  const select = selectFrom(client);
  const [before] = await select<{ encoding: string; version: string }>(
    `SELECT pg_catalog.current_setting('client_encoding') AS encoding,
            pg_catalog.current_setting('server_version_num') AS version`,
  );
  await settle(select, settings);
  const [settled] = await select<{ path: string }>(
    `SELECT pg_catalog.current_setting('search_path') AS path`,
  );
  if (settled?.path !== '') throw new TypeError('the client is not in a transaction');
  const result = await body(select, {
    versionNumber: Number(before!.version),
  });
  await settle(select, [['client_encoding', before!.encoding]]);
  return result;
}

async function settle(select: Select, values: readonly (readonly [string, string])[]): Promise<void> {
  const calls = values.map((_, i) => `pg_catalog.set_config($${2 * i + 1}, $${2 * i + 2}, true)`);
  await select(`SELECT ${calls.join(', ')}`, values.flat());
}

function selectFrom(client: ClientBase): Select {
  return async <T>(sql: string, parameters: readonly string[] = []): Promise<T[]> => {
    try {
      const result = await client.query({ text: sql, values: [...parameters], types: asText });
      return result.rows as T[];
    } catch (cause) {
      throw queryError(cause);
    }
  };
}

/** What a pg_get_* function says; null means that the object is gone since its row was read. */
export function present(definition: string | null): string {
  if (definition !== null) return definition;
  throw engineError('DATABASE_FAILED', 'Cannot read definitions: an object went away meanwhile', {
    remedy: 'Run the backup again when nobody changes the schema.',
  });
}

/** A SQL_ASCII database may hold bytes of any encoding in its names and texts, and the server will not call them UTF-8. */
const foreignBytes = ['22021', '22P05'];

function queryError(cause: unknown): Error {
  const { message, code } = cause as { message?: string; code?: string };
  const found = `Cannot read definitions: ${message ?? String(cause)}`;
  if (foreignBytes.includes(code ?? ''))
    return engineError('DATABASE_UNSUPPORTED', found, {
      remedy: 'Find names, defaults or comments with such characters and rewrite them in UTF-8.',
      cause,
    });
  return databaseError('read definitions', cause);
}
