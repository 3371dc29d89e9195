import { type Context, keyOf } from './definitions.ts';
import { collationName, qualified } from './sql.ts';
import { isMember, labelType, type TypeRow, typeColumns, typeTables, typeWhere } from './type-rows.ts';

/** Enums, composites and ranges; array, row and multirange types come with what they belong to. */
export async function readTypes(context: Context): Promise<void> {
  await readEnums(context);
  await readComposites(context);
  await readRanges(context);
  await refuseOtherTypes(context);
}

async function readEnums(context: Context): Promise<void> {
  const rows = await context.select<TypeRow & { labels: string | null }>(
    `SELECT ${typeColumns}, (
       SELECT pg_catalog.string_agg(pg_catalog.quote_literal(enumlabel), ', ' ORDER BY enumsortorder)
       FROM pg_catalog.pg_enum WHERE enumtypid = t.oid) AS labels
     FROM ${typeTables} WHERE ${typeWhere} AND t.typtype = 'e'`,
  );
  for (const row of rows) {
    if (isMember(context, row)) continue;
    const statements = [`CREATE TYPE ${row.name} AS ENUM (${row.labels ?? ''})`];
    context.definitions.add({ kind: 'type', name: row.name, statements }, labelType(context, row));
  }
}

async function readComposites(context: Context): Promise<void> {
  const rows = await context.select<TypeRow & { relation: string; attributes: string | null }>(
    `SELECT ${typeColumns}, t.typrelid AS relation, (
       SELECT pg_catalog.string_agg(pg_catalog.format(E'\\n  %I %s%s', a.attname,
           pg_catalog.format_type(a.atttypid, a.atttypmod),
           coalesce(' COLLATE ' || ${collationName('a.attcollation', 'b.typcollation')}, '')), ',' ORDER BY a.attnum)
       FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type b ON b.oid = a.atttypid
       WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) AS attributes
     FROM ${typeTables} JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
     WHERE ${typeWhere} AND t.typtype = 'c' AND c.relkind = 'c'`,
  );
  for (const row of rows) {
    if (isMember(context, row)) continue;
    const relation = keyOf('pg_class', row.relation);
    const statements = [`CREATE TYPE ${row.name} AS (${row.attributes ?? ''})`];
    context.definitions.add({ kind: 'type', name: row.name, statements }, labelType(context, row), relation);
    context.definitions.columnOwners.set(relation, row.name);
  }
}

interface RangeRow extends TypeRow {
  readonly subtype: string;
  readonly opclass: string | null;
  readonly collation: string | null;
  readonly canonical: string | null;
  readonly difference: string | null;
  readonly multirange: string;
  readonly multirange_oid: string;
  readonly multirange_owner: string;
}

async function readRanges(context: Context): Promise<void> {
  const nameOf = (proc: string): string => `(SELECT ${qualified('pn', 'p.proname')} FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace WHERE p.oid = ${proc})`;
  const rows = await context.select<RangeRow>(
    `SELECT ${typeColumns}, pg_catalog.format_type(r.rngsubtype, NULL) AS subtype,
       CASE WHEN NOT o.opcdefault THEN ${qualified('oc', 'o.opcname')} END AS opclass,
       ${collationName('r.rngcollation', 's.typcollation')} AS collation,
       ${nameOf('r.rngcanonical')} AS canonical, ${nameOf('r.rngsubdiff')} AS difference,
       m.oid AS multirange_oid, pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(m.typowner)) AS multirange_owner,
       ${qualified('mn', 'm.typname')} AS multirange
     FROM ${typeTables} JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
       JOIN pg_catalog.pg_type s ON s.oid = r.rngsubtype
       JOIN pg_catalog.pg_opclass o ON o.oid = r.rngsubopc JOIN pg_catalog.pg_namespace oc ON oc.oid = o.opcnamespace
       JOIN pg_catalog.pg_type m ON m.oid = r.rngmultitypid JOIN pg_catalog.pg_namespace mn ON mn.oid = m.typnamespace
     WHERE ${typeWhere}`,
  );
  for (const row of rows) {
    if (isMember(context, row)) continue;
    const parts: readonly (readonly [string, string | null])[] = [
      ['subtype', row.subtype],
      ['multirange_type_name', row.multirange],
      ['subtype_opclass', row.opclass],
      ['collation', row.collation],
      ['canonical', row.canonical],
      ['subtype_diff', row.difference],
    ];
    const list = parts.flatMap(([key, value]) => (value === null ? [] : [`${key} = ${value}`])).join(', ');
    const statements = [`CREATE TYPE ${row.name} AS RANGE (${list})`];
    context.definitions.add({ kind: 'type', name: row.name, statements }, labelType(context, row));
    addMultirange(context, row);
  }
}

/** Made with its range, but before 17 it has an owner of its own, which a newer server refuses to set. */
function addMultirange({ server, definitions }: Context, row: RangeRow): void {
  const label = `TYPE ${row.multirange}`;
  definitions.labels.set(keyOf('pg_type', row.multirange_oid), label);
  if (server.versionNumber >= 170_000) return;
  const isOld = `pg_catalog.current_setting('server_version_num')::integer < 170000`;
  const alter = `ALTER ${label} OWNER TO ${row.multirange_owner}`;
  const statements = [`DO $multirange$BEGIN IF ${isOld} THEN ${alter}; END IF; END$multirange$`];
  definitions.add({ kind: 'owner', name: label, statements });
}

async function refuseOtherTypes(context: Context): Promise<void> {
  const rows = await context.select<TypeRow>(
    `SELECT ${typeColumns} FROM ${typeTables} WHERE ${typeWhere}
       AND (NOT t.typisdefined OR (t.typtype = 'b' AND NOT (t.typelem <> 0 AND EXISTS (
         SELECT FROM pg_catalog.pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid))))`,
  );
  for (const row of rows)
    if (!isMember(context, row))
      context.definitions.refuse(keyOf('pg_type', row.oid), `base type ${row.name}`);
}
