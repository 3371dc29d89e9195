import type { Connection } from './connection.ts';
import type { ServerFacts } from './server.ts';

/** What belongs to the database as such, or is needed to make it again. */
export interface DatabaseProperties {
  readonly comment: string | null;
  readonly roles: readonly string[];
  readonly databaseSql: readonly string[];
  /** Materialized views that hold rows, by oid: each after those that it reads. */
  readonly refreshOrder: ReadonlyMap<number, number>;
}

/** Owners and grantees of what is in this database. The first superuser is not in pg_shdepend, so owners are asked too. */
const rolesSql = `
SELECT DISTINCT r.rolname AS role FROM pg_catalog.pg_roles r WHERE r.oid IN (
  SELECT d.refobjid FROM pg_catalog.pg_shdepend d
  WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
    AND (d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
  UNION SELECT c.relowner FROM pg_catalog.pg_class c WHERE c.oid >= 16384
  UNION SELECT n.nspowner FROM pg_catalog.pg_namespace n WHERE n.oid >= 16384
  UNION SELECT p.proowner FROM pg_catalog.pg_proc p WHERE p.oid >= 16384
  UNION SELECT t.typowner FROM pg_catalog.pg_type t WHERE t.oid >= 16384
) AND r.rolname !~ '^pg_' ORDER BY 1`;

const refreshSql = `
WITH RECURSIVE reads (reader, read) AS (
  SELECT r.ev_class, d.refobjid FROM pg_catalog.pg_rewrite r
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> r.ev_class
    JOIN pg_catalog.pg_class c ON c.oid = d.refobjid AND c.relkind IN ('v', 'm')
  WHERE r.rulename = '_RETURN'
), depth (view, depth) AS (
  SELECT c.oid, 0 FROM pg_catalog.pg_class c WHERE c.relkind IN ('v', 'm')
  UNION
  SELECT r.reader, d.depth + 1 FROM depth d JOIN reads r ON r.read = d.view WHERE d.depth < 1000
)
SELECT d.view AS oid, max(d.depth) AS depth FROM depth d JOIN pg_catalog.pg_class c ON c.oid = d.view
WHERE c.relkind = 'm' AND c.relispopulated GROUP BY d.view ORDER BY depth, oid`;

/** Reads them from the pinned view. */
export async function readDatabaseProperties(
  connection: Connection,
  facts: ServerFacts,
): Promise<DatabaseProperties> {
  const action = 'read the properties of the database';
  const roles = await connection.rows<{ role: string }>(action, rolesSql);
  const [about] = await connection.rows<{ comment: string | null }>(
    action,
    `SELECT pg_catalog.shobj_description(${facts.databaseOid}, 'pg_database') AS comment`,
  );
  const refresh = await connection.rows<{ oid: number }>(action, refreshSql);
  return {
    comment: about!.comment,
    roles: roles.map(row => row.role),
    databaseSql: [],
    refreshOrder: new Map(refresh.map((row, i) => [row.oid, i])),
  };
}
