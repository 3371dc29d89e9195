import { createHash } from 'node:crypto';
import type { Connection } from '../connect/connection.ts';
import { identifier } from '../sql/quoting.ts';

/**
 * Not definitions: statistics, large objects, who depends on what across databases, replication progress, passwords and
 * memberships of roles. They change while the definitions stay.
 */
const skipped = [
  'pg_authid', // its names are taken from pg_roles
  'pg_auth_members',
  'pg_statistic',
  'pg_statistic_ext_data',
  'pg_largeobject',
  'pg_largeobject_metadata',
  'pg_shdepend',
  'pg_replication_origin',
  'pg_subscription_rel',
];

/** Temporary tables come and go with sessions; no other session's definitions depend on them. */
const temporaryTables = "SELECT oid FROM pg_catalog.pg_class WHERE relpersistence = 't'";
const temporarySchemas = "SELECT oid FROM pg_catalog.pg_namespace WHERE nspname ~ '^pg_(toast_)?temp_'";
/** Catalogs that all databases of a server share: what others do to theirs is none of this one's business. */
const thisDatabase = '(SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())';
const onThisDatabase = `t.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass AND t.objoid = ${thisDatabase}`;
const ofTable = (column: string): string => `t.${column} NOT IN (${temporaryTables})`;
const conditions: Readonly<Record<string, string>> = {
  pg_database: `t.oid = ${thisDatabase}`,
  pg_db_role_setting: `t.setdatabase = ${thisDatabase}`,
  pg_shdescription: onThisDatabase,
  pg_shseclabel: onThisDatabase,
  pg_subscription: `t.subdbid = ${thisDatabase}`,
  pg_class: "t.relpersistence <> 't'",
  pg_namespace: "t.nspname !~ '^pg_(toast_)?temp_'",
  pg_type: `t.typnamespace NOT IN (${temporarySchemas})`,
  pg_attribute: ofTable('attrelid'),
  pg_index: ofTable('indrelid'),
  pg_attrdef: ofTable('adrelid'),
  pg_constraint: ofTable('conrelid'),
  pg_trigger: ofTable('tgrelid'),
  pg_rewrite: ofTable('ev_class'),
  pg_inherits: ofTable('inhrelid'),
  pg_sequence: ofTable('seqrelid'),
  pg_depend: `t.objid NOT IN (${temporaryTables}
    UNION ALL SELECT oid FROM pg_catalog.pg_type WHERE typnamespace IN (${temporarySchemas})
    UNION ALL SELECT oid FROM pg_catalog.pg_attrdef WHERE adrelid IN (${temporaryTables})
    UNION ALL SELECT oid FROM pg_catalog.pg_constraint WHERE conrelid IN (${temporaryTables})
    UNION ALL SELECT oid FROM pg_catalog.pg_trigger WHERE tgrelid IN (${temporaryTables})
    UNION ALL SELECT oid FROM pg_catalog.pg_rewrite WHERE ev_class IN (${temporaryTables}))`,
};

/** The statement whose answer changes whenever a definition does. Built before the lock, run inside the pin. */
export async function fingerprintSql(connection: Connection): Promise<string> {
  const catalogs = await connection.rows<{ oid: number; name: string; readable: boolean }>(
    'list the catalogs',
    `SELECT c.oid, c.relname AS name, pg_catalog.has_table_privilege(c.oid, 'SELECT') AS readable
     FROM pg_catalog.pg_class c
     WHERE c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace AND c.relkind = 'r'
       AND c.relname NOT IN (${skipped.map(name => `'${name}'`).join(', ')})
     ORDER BY c.oid`,
  );
  const parts = catalogs
    .filter(catalog => catalog.readable)
    .map(
      ({ oid, name }) =>
        `SELECT ${oid}::int8, pg_catalog.count(*), pg_catalog.bit_xor(pg_catalog.hashtidextended(t.ctid,
           pg_catalog.hash_array_extended(ARRAY[t.xmin], 0))) FROM pg_catalog.${identifier(name)} t
         WHERE ${conditions[name] ?? 'true'}`,
    );
  if (catalogs.some(({ name, readable }) => name === 'pg_user_mapping' && !readable))
    parts.push(userMappings);
  parts.push(roles);
  return parts.join('\nUNION ALL\n');
}

/** The names of the roles that something here belongs or is granted to; the first superuser is never listed as such. */
const roles = `SELECT 0::int8, pg_catalog.count(*), pg_catalog.bit_xor(pg_catalog.hashtextextended(r.rolname, r.oid::int8))
  FROM pg_catalog.pg_roles r
  WHERE r.oid = 10 OR r.oid IN (SELECT d.refobjid FROM pg_catalog.pg_shdepend d
    WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
      AND (d.dbid = ${thisDatabase} OR (d.dbid = 0 AND d.objid = ${thisDatabase})))`;

/** Stands for a catalog that only superusers may read. */
const userMappings = `SELECT 1::int8, pg_catalog.count(*), pg_catalog.bit_xor(pg_catalog.hashtextextended(
    pg_catalog.concat_ws(' ', m.srvname, m.usename, m.umoptions::text), m.umid::int8))
  FROM pg_catalog.pg_user_mappings m`;

/** 32 bytes over the answer of `fingerprintSql`: equal means that no catalog row was added, changed or removed. */
export function fingerprintOf(rows: readonly (readonly unknown[])[]): Uint8Array {
  const lines = rows.map(row => row.map(value => String(value)).join(' ')).sort();
  return new Uint8Array(createHash('sha256').update(lines.join('\n')).digest());
}
