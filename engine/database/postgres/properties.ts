import type { Connection } from './connection.ts';
import type { ServerFacts } from './server.ts';
import { identifier, literal } from './sql.ts';

/** What belongs to the database as such, or is needed to make it again. */
export interface DatabaseProperties {
  readonly comment: string | null;
  readonly roles: readonly string[];
  /** Makes those roles, without passwords: a line each, then their memberships in each other. For people. */
  readonly globals: string;
  /** Statements on the database itself, in order: before its name, after it. */
  readonly databaseSql: readonly (readonly [string, string])[];
  /** Materialized views that hold rows, by oid: each after those that it reads. */
  readonly refreshOrder: ReadonlyMap<number, number>;
}

/** Owners and grantees of what is in this database. The first superuser is not in pg_shdepend, so owners are asked too. */
const rolesSql = (database: number): string => `
SELECT DISTINCT r.rolname AS role, r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin,
  r.rolreplication, r.rolbypassrls, r.rolconnlimit,
  ARRAY(SELECT g.rolname::text FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
    WHERE m.member = r.oid ORDER BY 1) AS member_of
FROM pg_catalog.pg_roles r WHERE r.oid IN (
  SELECT d.refobjid FROM pg_catalog.pg_shdepend d
  WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
    AND (d.dbid = ${database} OR (d.dbid = 0 AND d.classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND d.objid = ${database}))
  UNION SELECT b.datdba FROM pg_catalog.pg_database b WHERE b.oid = ${database}
  UNION SELECT s.setrole FROM pg_catalog.pg_db_role_setting s WHERE s.setdatabase = ${database}
  UNION SELECT c.relowner FROM pg_catalog.pg_class c WHERE c.oid >= 16384
  UNION SELECT n.nspowner FROM pg_catalog.pg_namespace n WHERE n.oid >= 16384
  UNION SELECT p.proowner FROM pg_catalog.pg_proc p WHERE p.oid >= 16384
  UNION SELECT t.typowner FROM pg_catalog.pg_type t WHERE t.oid >= 16384
) AND r.rolname !~ '^pg_' ORDER BY 1`;

interface RoleRow {
  role: string;
  rolsuper: boolean;
  rolinherit: boolean;
  rolcreaterole: boolean;
  rolcreatedb: boolean;
  rolcanlogin: boolean;
  rolreplication: boolean;
  rolbypassrls: boolean;
  rolconnlimit: number;
  member_of: string[];
}

function createRole(row: RoleRow): string {
  const attributes = [
    ...(row.rolsuper ? ['SUPERUSER'] : []),
    ...(row.rolinherit ? [] : ['NOINHERIT']),
    ...(row.rolcreaterole ? ['CREATEROLE'] : []),
    ...(row.rolcreatedb ? ['CREATEDB'] : []),
    ...(row.rolcanlogin ? ['LOGIN'] : []),
    ...(row.rolreplication ? ['REPLICATION'] : []),
    ...(row.rolbypassrls ? ['BYPASSRLS'] : []),
    ...(row.rolconnlimit === -1 ? [] : [`CONNECTION LIMIT ${row.rolconnlimit}`]),
  ];
  return `${['CREATE ROLE', identifier(row.role), ...attributes].join(' ')};`;
}

function memberships(row: RoleRow): string[] {
  return row.member_of.map(role => `GRANT ${identifier(role)} TO ${identifier(row.role)};`);
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

/** Settings that are lists of names, each quoted by itself. */
const listSettings = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
]);

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
    const at = setting.indexOf('=');
    const name = setting.slice(0, at);
    const value = setting.slice(at + 1);
    const values = listSettings.has(name) ? splitNames(value).map(literal).join(', ') : literal(value);
    const what = role === null ? 'ALTER DATABASE ' : `ALTER ROLE ${identifier(role)} IN DATABASE `;
    yield [what, ` SET ${name.split('.').map(identifier).join('.')} TO ${values === '' ? "''" : values}`];
  }
}

/** `"$user", public` as its names. */
function splitNames(list: string): string[] {
  return [...list.matchAll(/"((?:[^"]|"")*)"|[^\s,"]+/g)].map(found =>
    found[1] === undefined ? found[0] : found[1].replaceAll('""', '"'),
  );
}

/** Reads them from the pinned view. */
export async function readDatabaseProperties(
  connection: Connection,
  facts: ServerFacts,
): Promise<DatabaseProperties> {
  const action = 'read the properties of the database';
  const roles = await connection.rows<RoleRow>(action, rolesSql(facts.databaseOid));
  const [row] = await connection.rows<DatabaseRow>(action, databaseRowSql(facts.databaseOid));
  const refresh = await connection.rows<{ oid: number }>(action, refreshSql);
  return {
    comment: row!.comment,
    roles: roles.map(one => one.role),
    globals: [...roles.map(createRole), ...roles.flatMap(memberships)].join('\n'),
    databaseSql: [...databaseStatements(row!)],
    refreshOrder: new Map(refresh.map((one, i) => [one.oid, i])),
  };
}
