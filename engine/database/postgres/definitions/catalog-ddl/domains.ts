import { type Context, keyOf } from './definitions.ts';
import { append } from './multimap.ts';
import { present } from './query.ts';
import { collationName, firstUserOid, isUserSchema, qualified } from './sql.ts';
import { isMember, labelType, typeColumns, typeTables, typeWhere } from './type-rows.ts';

interface DomainRow {
  readonly oid: string;
  readonly name: string;
  readonly owner: string;
  readonly base: string;
  readonly collation: string | null;
  readonly initial: string | null;
  readonly required: 't' | 'f';
  /** From 17 on NOT NULL has a name. */
  readonly not_null: string | null;
  readonly not_null_oid: string | null;
}

/** Domains; their checks stand apart, because a function that a check calls may itself speak of the domain. */
export async function readDomains(context: Context): Promise<void> {
  const rows = await context.select<DomainRow>(
    `SELECT ${typeColumns}, pg_catalog.format_type(t.typbasetype, t.typtypmod) AS base,
       ${collationName('t.typcollation', 'b.typcollation')} AS collation,
       coalesce(pg_catalog.pg_get_expr(t.typdefaultbin, 0), pg_catalog.quote_literal(t.typdefault)) AS initial,
       t.typnotnull AS required, pg_catalog.quote_ident(k.conname) AS not_null, k.oid AS not_null_oid
     FROM ${typeTables} JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
       LEFT JOIN pg_catalog.pg_constraint k ON k.contypid = t.oid AND k.contype = 'n'
     WHERE ${typeWhere} AND t.typtype = 'd'`,
  );
  for (const row of rows) {
    if (isMember(context, row)) continue;
    const key = labelType(context, row, 'DOMAIN');
    const named = row.not_null_oid === null ? [] : [keyOf('pg_constraint', row.not_null_oid)];
    const clauses = [
      `CREATE DOMAIN ${row.name} AS ${row.base}`,
      row.collation === null ? '' : ` COLLATE ${row.collation}`,
      row.initial === null ? '' : ` DEFAULT ${row.initial}`,
      row.not_null === null ? '' : ` CONSTRAINT ${row.not_null}`,
      row.required === 't' ? ' NOT NULL' : '',
    ];
    const statements = [clauses.join('')];
    context.definitions.add({ kind: 'type', name: row.name, statements }, key, ...named);
    for (const one of named)
      context.definitions.labels.set(one, `CONSTRAINT ${row.not_null} ON DOMAIN ${row.name}`);
  }
  await readDomainChecks(context);
}

interface CheckRow {
  readonly oid: string;
  readonly domain: string;
  readonly domain_oid: string;
  readonly name: string;
  readonly definition: string | null;
}

async function readDomainChecks({ select, definitions, members }: Context): Promise<void> {
  const rows = await select<CheckRow>(
    `SELECT k.oid, pg_catalog.quote_ident(k.conname) AS name, t.oid AS domain_oid, ${qualified('n', 't.typname')} AS domain,
       pg_catalog.pg_get_constraintdef(k.oid) AS definition
     FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_type t ON t.oid = k.contypid
       JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
     WHERE k.oid >= ${firstUserOid} AND ${isUserSchema('n')} AND k.contype = 'c'`,
  );
  for (const { oid, domain, domain_oid, name, definition } of rows) {
    const key = keyOf('pg_constraint', oid);
    if (members.has(key)) continue;
    const domainKey = keyOf('pg_type', domain_oid);
    const statements = [`ALTER DOMAIN ${domain} ADD CONSTRAINT ${name} ${present(definition)}`];
    const after = [domainKey];
    const item = definitions.add(
      { kind: 'domain constraint', name: `${domain} ${name}`, statements, after },
      key,
    );
    definitions.labels.set(key, `CONSTRAINT ${name} ON DOMAIN ${domain}`);
    append(definitions.domainConstraints, domainKey, item);
  }
}
