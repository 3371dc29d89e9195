import { engineError } from '../../../errors.ts';
import { listed } from '../catalog/rights.ts';
import type { Connection } from '../connect/connection.ts';
import type { RelationName } from '../entries/entry-parts.ts';

/**
 * An unfinished restore is cleared before it is begun again. What is in none of its definitions was made by somebody else
 * meanwhile, and is not to go with it: TARGET_NOT_EMPTY.
 */
export async function refuseMadeSince(
  connection: Connection,
  relations: readonly RelationName[],
): Promise<void> {
  const rows = await connection.rows<{ schema: string; name: string; object: string }>(
    'look at the target',
    `SELECT n.nspname AS schema, c.relname AS name, pg_catalog.pg_describe_object('pg_catalog.pg_class'::pg_catalog.regclass, c.oid, 0) AS object
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'f', 'm') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
         AND d.objid = c.oid AND d.deptype = 'e')
     ORDER BY 1, 2`,
  );
  const known = new Set(relations.map(nameKey));
  const others = rows.filter(row => !known.has(nameKey(row))).map(({ object }) => object);
  if (others.length === 0) return;
  throw engineError(
    'TARGET_NOT_EMPTY',
    `Cannot go on in ${connection.address}: beside an unfinished restore it holds ${listed(others)}, which the snapshot does not have`,
    { remedy: 'Move that elsewhere, or drop the database; then restore again.' },
  );
}

const nameKey = ({ schema, name }: RelationName): string => JSON.stringify([schema, name]);
