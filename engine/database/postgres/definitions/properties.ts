import type { ServerFacts } from '../catalog/server.ts';
import type { Connection } from '../connect/connection.ts';
import { identifier } from '../sql/quoting.ts';
import { readGlobals, setClause } from './globals.ts';

/** What belongs to the database as such, or is needed to make it again. */
export interface DatabaseProperties {
  readonly comment: string | null;
  readonly roles: readonly string[];
  /** Makes those roles, without passwords: a line each, then what is said of them, and the tablespaces. For people. */
  readonly globals: string;
  /** Statements on the database itself, in order: before its name, after it. */
  readonly databaseSql: readonly (readonly [string, string])[];
  /** Materialized views that hold rows, by oid: each after those that it reads. */
  readonly refreshOrder: ReadonlyMap<number, number>;
}

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

interface DatabaseRow {
  comment: string | null;
  owner: string;
  connections: number;
  has_grants: boolean;
  grants: { grantee: string | null; privilege: string; grantable: boolean }[] | null;
  settings: { role: string | null; setting: string }[] | null;
}

const databaseRowSql = (database: number): string => `
SELECT pg_catalog.shobj_description(d.oid, 'pg_database') AS comment, pg_catalog.pg_get_userbyid(d.datdba) AS owner,
  d.datconnlimit AS connections, d.datacl IS NOT NULL AS has_grants,
  (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('grantee', r.rolname, 'privilege', a.privilege_type,
      'grantable', a.is_grantable) ORDER BY r.rolname NULLS FIRST, a.privilege_type)
    FROM pg_catalog.aclexplode(d.datacl) a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee) AS grants,
  (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('role', r.rolname, 'setting', c.setting)
      ORDER BY r.rolname NULLS FIRST, c.setting)
    FROM pg_catalog.pg_db_role_setting s CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) c (setting)
      LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
    WHERE s.setdatabase = d.oid) AS settings
FROM pg_catalog.pg_database d WHERE d.oid = ${database}`;

function* databaseStatements(row: DatabaseRow): Generator<readonly [string, string]> {
  const owner = identifier(row.owner);
  yield ['ALTER DATABASE ', ` OWNER TO ${owner}`];
  if (row.connections !== -1) yield ['ALTER DATABASE ', ` CONNECTION LIMIT ${row.connections}`];
  if (row.has_grants) yield ['REVOKE ALL ON DATABASE ', ` FROM PUBLIC, ${owner}`];
  for (const { grantee, privilege, grantable } of row.grants ?? []) {
    const to = grantee === null ? 'PUBLIC' : identifier(grantee);
    yield [`GRANT ${privilege} ON DATABASE `, ` TO ${to}${grantable ? ' WITH GRANT OPTION' : ''}`];
  }
  for (const { role, setting } of row.settings ?? []) {
    const what = role === null ? 'ALTER DATABASE ' : `ALTER ROLE ${identifier(role)} IN DATABASE `;
    yield [what, ` ${setClause(setting)}`];
  }
}

/** Reads them from the pinned view. */
export async function readDatabaseProperties(
  connection: Connection,
  facts: ServerFacts,
): Promise<DatabaseProperties> {
  const action = 'read the properties of the database';
  const { roles, globals } = await readGlobals(connection, facts);
  const [row] = await connection.rows<DatabaseRow>(action, databaseRowSql(facts.databaseOid));
  const refresh = await connection.rows<{ oid: number }>(action, refreshSql);
  return {
    comment: row!.comment,
    roles,
    globals,
    databaseSql: [...databaseStatements(row!)],
    refreshOrder: new Map(refresh.map((one, i) => [one.oid, i])),
  };
}
