import { grantStatements, type Privilege } from './acl.ts';
import { type Context, keyOf } from './definitions.ts';
import { firstUserOid } from './sql.ts';

interface GrantRow {
  readonly catalog: string;
  readonly oid: string;
  readonly column: string | null;
  readonly owner: string;
  readonly described: string;
  readonly granted: string;
  readonly initial: string;
}

/** A list of privileges as JSON. */
export function privilegeList(acl: string): string {
  const role = (oid: string): string => `pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(${oid}))`;
  return `(SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('grantor', ${role('x.grantor')},
    'grantee', CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE ${role('x.grantee')} END,
    'privilege', x.privilege_type, 'isGrantable', x.is_grantable)), '[]') FROM pg_catalog.aclexplode(${acl}) x)`;
}

/** Where access lists live: catalog, list, owner, the letter of acldefault. */
const sources = [
  ['pg_namespace', 'nspacl', 'nspowner', `'n'`],
  ['pg_class', 'relacl', 'relowner', `CASE o.relkind WHEN 'S' THEN 's' ELSE 'r' END`],
  ['pg_type', 'typacl', 'typowner', `'T'`],
  ['pg_proc', 'proacl', 'proowner', `'f'`],
  ['pg_language', 'lanacl', 'lanowner', `'l'`],
  ['pg_foreign_data_wrapper', 'fdwacl', 'fdwowner', `'F'`],
  ['pg_foreign_server', 'srvacl', 'srvowner', `'S'`],
] as const;

/** GRANT and REVOKE for everything whose access list is not the one that it was born with. */
export async function readGrants({ select, definitions, members }: Context): Promise<void> {
  const parts = sources.map(([catalog, list, owner, letter]) => {
    // public is born with the list that initdb noted down.
    const born = `coalesce((SELECT initprivs FROM pg_catalog.pg_init_privs WHERE objoid = o.oid AND objsubid = 0
      AND classoid = 'pg_catalog.${catalog}'::pg_catalog.regclass),
      pg_catalog.acldefault((${letter})::"char", o.${owner}))`;
    const isPublic =
      catalog === 'pg_namespace' ? `OR o.nspname = 'public'` : catalog === 'pg_language' ? 'OR true' : '';
    return `SELECT '${catalog}' AS catalog, o.oid, NULL AS column, o.${owner} AS owner, o.${list} AS list, ${born} AS born
      FROM pg_catalog.${catalog} o WHERE o.${list} IS NOT NULL AND (o.oid >= ${firstUserOid} ${isPublic})`;
  });
  parts.push(`SELECT 'pg_class', c.oid, pg_catalog.quote_ident(a.attname), c.relowner, a.attacl, (SELECT initprivs FROM pg_catalog.pg_init_privs
      WHERE objoid = c.oid AND objsubid = a.attnum AND classoid = 'pg_catalog.pg_class'::pg_catalog.regclass)
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND c.oid >= ${firstUserOid}`);
  const rows = await select<GrantRow>(
    `SELECT g.catalog, g.oid, g.column, ${privilegeList('g.list')} AS granted, ${privilegeList('g.born')} AS initial,
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.owner)) AS owner,
       pg_catalog.pg_describe_object(('pg_catalog.' || g.catalog)::pg_catalog.regclass, g.oid, 0) AS described
     FROM (${parts.join('\nUNION ALL ')}) AS g`,
  );
  for (const row of rows) {
    const key = keyOf(row.catalog, row.oid);
    const label = definitions.grantLabels.get(key);
    if (label === undefined) {
      if (members.has(key) && isSame(bornOf(row), JSON.parse(row.granted) as Privilege[])) continue;
      definitions.refuseRemark(key, `grants on ${row.described}`);
      continue;
    }
    const statements = grantStatements(
      { owner: row.owner, on: `ON ${label}`, column: row.column ?? undefined },
      { from: bornOf(row), to: JSON.parse(row.granted) as Privilege[] },
    );
    const name = `${label}${row.column === null ? '' : ` ${row.column}`}`;
    if (statements.length > 0) definitions.add({ kind: 'grant', name, statements });
  }
}

/** As a list that its extension gave. */
function isSame(a: readonly Privilege[], b: readonly Privilege[]): boolean {
  const lines = (list: readonly Privilege[]): string =>
    list
      .map(one => JSON.stringify(one))
      .sort()
      .join();
  return lines(a) === lines(b);
}

/** The list that an object is born with; public's names its first owner, and follows the owner as every list does. */
function bornOf({ initial, owner }: GrantRow): Privilege[] {
  const list = JSON.parse(initial) as Privilege[];
  const first = list[0]?.grantor;
  const now = (role: string): string => (role === first ? owner : role);
  return list.map(one => ({ ...one, grantor: now(one.grantor), grantee: now(one.grantee) }));
}

const defaultKinds: Readonly<Record<string, string>> = {
  r: 'TABLES',
  S: 'SEQUENCES',
  f: 'FUNCTIONS',
  T: 'TYPES',
  n: 'SCHEMAS',
  L: 'LARGE OBJECTS',
};

interface DefaultRow {
  readonly oid: string;
  readonly kind: string;
  readonly role: string;
  readonly schema: string | null;
  readonly granted: string;
  readonly initial: string;
}

/** ALTER DEFAULT PRIVILEGES, at the very end, so that nothing made here is touched by it. */
export async function readDefaultPrivileges({ select, definitions }: Context): Promise<void> {
  const rows = await select<DefaultRow>(
    `SELECT d.oid, d.defaclobjtype AS kind, pg_catalog.quote_ident(n.nspname) AS schema,
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(d.defaclrole)) AS role, ${privilegeList('d.defaclacl')} AS granted,
       ${privilegeList(`CASE d.defaclnamespace WHEN 0 THEN pg_catalog.acldefault(
         CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END, d.defaclrole) END`)} AS initial
     FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace`,
  );
  for (const { oid, kind, role, schema, granted, initial } of rows) {
    const objects = defaultKinds[kind];
    if (objects === undefined) continue; // unclaimed, so it is refused by name
    const head = `ALTER DEFAULT PRIVILEGES FOR ROLE ${role}${schema === null ? '' : ` IN SCHEMA ${schema}`}`;
    const statements = grantStatements(
      { owner: role, on: `ON ${objects}` },
      { from: JSON.parse(initial) as Privilege[], to: JSON.parse(granted) as Privilege[] },
    ).map(one => `${head} ${one}`);
    definitions.add(
      { kind: 'default privileges', name: `${role} ${schema ?? ''} ${kind}`, statements },
      keyOf('pg_default_acl', oid),
    );
  }
}
