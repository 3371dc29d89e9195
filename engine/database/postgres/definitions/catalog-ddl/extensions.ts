import { type Context, keyOf } from './definitions.ts';
import { firstUserOid } from './sql.ts';

interface ExtensionRow {
  readonly oid: string;
  readonly name: string;
  readonly schema: string;
  readonly described: 't' | 'f';
}

/**
 * CREATE EXTENSION, in the version that the server which runs it has; what belongs to one comes with it. PL/pgSQL is in
 * every database.
 */
export async function readExtensions({ select, definitions, members }: Context): Promise<void> {
  const rows = await select<ExtensionRow>(
    `SELECT e.oid, pg_catalog.quote_ident(e.extname) AS name, pg_catalog.quote_ident(n.nspname) AS schema,
       pg_catalog.obj_description(e.oid, 'pg_extension') IS NOT NULL AS described
     FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
     WHERE e.oid >= ${firstUserOid} AND e.extname <> 'plpgsql'`,
  );
  for (const { oid, name, schema, described } of rows) {
    const key = keyOf('pg_extension', oid);
    const keys = [...members].filter(([, extension]) => extension === key).map(([member]) => member);
    const statements = [`CREATE EXTENSION IF NOT EXISTS ${name} WITH SCHEMA ${schema}`];
    definitions.add({ kind: 'extension', name, statements }, key, ...keys);
    definitions.labels.set(key, `EXTENSION ${name}`);
    // It is born with the one of its control file.
    if (described === 'f')
      definitions.add({
        kind: 'comment',
        name: `EXTENSION ${name}`,
        statements: [`COMMENT ON EXTENSION ${name} IS NULL`],
      });
  }
}
