import { type Context, keyOf } from './definitions.ts';
import { firstUserOid } from './sql.ts';

interface CastRow {
  readonly oid: string;
  readonly types: string;
  readonly method: string;
  readonly context: 'e' | 'a' | 'i';
}

const contexts = { e: '', a: ' AS ASSIGNMENT', i: ' AS IMPLICIT' } as const;

/** Casts belong to no schema and nobody. */
export async function readCasts({ select, definitions, members }: Context): Promise<void> {
  const rows = await select<CastRow>(
    `SELECT c.oid, c.castcontext AS context,
       '(' || pg_catalog.format_type(c.castsource, NULL) || ' AS ' || pg_catalog.format_type(c.casttarget, NULL) || ')' AS types,
       CASE c.castmethod WHEN 'f' THEN 'WITH FUNCTION ' || c.castfunc::pg_catalog.regprocedure::text
         WHEN 'i' THEN 'WITH INOUT' ELSE 'WITHOUT FUNCTION' END AS method
     FROM pg_catalog.pg_cast c WHERE c.oid >= ${firstUserOid} AND NOT EXISTS (
       -- a range comes with one to its multirange
       SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_cast'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'i')`,
  );
  for (const { oid, types, method, context } of rows) {
    const key = keyOf('pg_cast', oid);
    if (members.has(key)) continue;
    const statements = [`CREATE CAST ${types} ${method}${contexts[context]}`];
    definitions.add({ kind: 'cast', name: types, statements }, key);
    definitions.labels.set(key, `CAST ${types}`);
  }
}
