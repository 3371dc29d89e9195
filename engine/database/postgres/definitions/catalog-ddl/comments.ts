import { type Context, keyOf } from './definitions.ts';
import { firstUserOid } from './sql.ts';

interface CommentRow {
  readonly catalog: string;
  readonly oid: string;
  readonly column: string | null;
  readonly text: string;
  readonly described: string;
}

/** COMMENT ON whatever the other readers have named; those of large objects are written with these. */
export async function readComments({ select, definitions, members }: Context): Promise<void> {
  const rows = await select<CommentRow>(
    `SELECT c.relname AS catalog, d.objoid AS oid, pg_catalog.quote_ident(a.attname) AS column,
       pg_catalog.quote_literal(d.description) AS text,
       pg_catalog.pg_describe_object(d.classoid, d.objoid, d.objsubid) AS described
     FROM pg_catalog.pg_description d JOIN pg_catalog.pg_class c ON c.oid = d.classoid
       LEFT JOIN pg_catalog.pg_attribute a ON d.objsubid <> 0 AND c.relname = 'pg_class'
         AND a.attrelid = d.objoid AND a.attnum = d.objsubid
     WHERE d.objoid >= ${firstUserOid} AND c.relname NOT IN ('pg_largeobject', 'pg_event_trigger')`,
  );
  for (const { catalog, oid, column, text, described } of rows) {
    const key = keyOf(catalog, oid);
    if (members.has(key)) continue;
    const owner = definitions.columnOwners.get(key);
    const label = column === null ? definitions.labels.get(key) : owner && `COLUMN ${owner}.${column}`;
    if (label) {
      const statements = [`COMMENT ON ${label} IS ${text}`];
      definitions.add({ kind: 'comment', name: label, statements });
    } else if (definitions.claims.get(key) !== null) {
      // What is left out on purpose takes its comment with it.
      definitions.refuseRemark(key, `comment on ${described}`);
    }
  }
}
