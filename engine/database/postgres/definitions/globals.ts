import type { ServerFacts } from '../catalog/server.ts';
import type { Connection } from '../connect/connection.ts';
import { identifier, literal } from '../sql/quoting.ts';

/** Owners and grantees of what is in this database. The first superuser is not in pg_shdepend, so owners are asked too. */
const rolesSql = (database: number, versionNumber: number): string => `
SELECT DISTINCT r.rolname AS role, r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin,
  r.rolreplication, r.rolbypassrls, r.rolconnlimit,
  r.rolvaliduntil::text AS "validUntil", pg_catalog.shobj_description(r.oid, 'pg_authid') AS comment,
  (SELECT s.setconfig FROM pg_catalog.pg_db_role_setting s WHERE s.setrole = r.oid AND s.setdatabase = 0) AS settings,
  ARRAY(SELECT pg_catalog.quote_ident(g.rolname) || ' TO ' || pg_catalog.quote_ident(r.rolname) || ${memberOptions(versionNumber)}
    FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid ORDER BY 1) AS memberships
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
  validUntil: string | null;
  comment: string | null;
  settings: string[] | null;
  /** `role TO member`, with its options. */
  memberships: string[];
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

/** From 16 on a membership says by itself whether it is inherited and may be taken on. */
function memberOptions(versionNumber: number): string {
  const admin = "CASE WHEN m.admin_option THEN ' WITH ADMIN OPTION' ELSE '' END";
  if (versionNumber < 160_000) return admin;
  return `' WITH ADMIN ' || m.admin_option || ', INHERIT ' || m.inherit_option || ', SET ' || m.set_option`;
}

function* saidOf(row: RoleRow): Generator<string> {
  const role = identifier(row.role);
  if (row.validUntil !== null) yield `ALTER ROLE ${role} VALID UNTIL ${literal(row.validUntil)};`;
  for (const setting of row.settings ?? []) yield `ALTER ROLE ${role} ${setClause(setting)};`;
  for (const membership of row.memberships) yield `GRANT ${membership};`;
  if (row.comment !== null) yield `COMMENT ON ROLE ${role} IS ${literal(row.comment)};`;
}

const tablespacesSql = (database: number): string => `
SELECT pg_catalog.format('CREATE TABLESPACE %I OWNER %I LOCATION %L', s.spcname, pg_catalog.pg_get_userbyid(s.spcowner),
    pg_catalog.pg_tablespace_location(s.oid)) || CASE WHEN s.spcoptions IS NULL THEN '' ELSE
    ' WITH (' || pg_catalog.array_to_string(s.spcoptions, ', ') || ')' END || ';' AS sql
FROM pg_catalog.pg_tablespace s WHERE s.oid >= 16384 AND (s.oid IN (SELECT c.reltablespace FROM pg_catalog.pg_class c)
  OR s.oid IN (SELECT b.dattablespace FROM pg_catalog.pg_database b WHERE b.oid = ${database})) ORDER BY s.spcname`;

/** What the database needs of its server: roles, without their passwords, and tablespaces. */
export async function readGlobals(
  connection: Connection,
  facts: ServerFacts,
): Promise<{ readonly roles: readonly string[]; readonly globals: string }> {
  const action = 'read the properties of the database';
  const roles = await connection.rows<RoleRow>(
    action,
    rolesSql(facts.databaseOid, facts.serverVersionNumber),
  );
  const tablespaces = await connection.rows<{ sql: string }>(action, tablespacesSql(facts.databaseOid));
  const lines = [
    ...roles.map(createRole),
    ...roles.flatMap(row => [...saidOf(row)]),
    ...tablespaces.map(({ sql }) => sql),
  ];
  // A line each: who looks for one goes by its beginning.
  return { roles: roles.map(one => one.role), globals: lines.join('\n') };
}

/** Settings that are lists of names, each quoted by itself. */
const listSettings = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
]);

/** `"$user", public` as its names. */
function splitNames(list: string): string[] {
  return [...list.matchAll(/"((?:[^"]|"")*)"|[^\s,"]+/g)].map(found =>
    found[1] === undefined ? found[0] : found[1].replaceAll('""', '"'),
  );
}

/** `SET name TO value` of a setting as the catalogs keep it, `name=value`. */
export function setClause(setting: string): string {
  const at = setting.indexOf('=');
  const name = setting.slice(0, at);
  const value = setting.slice(at + 1);
  const values = listSettings.has(name) ? splitNames(value).map(literal).join(', ') : literal(value);
  return `SET ${name.split('.').map(identifier).join('.')} TO ${values === '' ? "''" : values}`;
}
