import { listed } from '../catalog/rights.ts';
import type { Connection } from '../connect/connection.ts';

const isMember = (catalog: string, oid: string): string =>
  `EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.${catalog}'::pg_catalog.regclass AND d.objid = ${oid} AND d.deptype = 'e')`;
const describe = (catalog: string, oid: string): string =>
  `pg_catalog.pg_describe_object('pg_catalog.${catalog}'::pg_catalog.regclass, ${oid}, 0)`;

/** Catalogs whose objects have a schema, and the column that says which. */
const inSchemas = [
  ['pg_class', 'relnamespace', `o.relkind NOT IN ('t', 'i', 'I') AND o.relpersistence <> 't'`],
  ['pg_proc', 'pronamespace', 'true'],
  ['pg_operator', 'oprnamespace', 'o.oprcode <> 0'],
  ['pg_type', 'typnamespace', `o.typtype IN ('d', 'e', 'r') OR (o.typtype = 'b' AND o.typelem = 0)`],
  ['pg_collation', 'collnamespace', 'true'],
  ['pg_ts_config', 'cfgnamespace', 'true'],
] as const;

const isSuperuser = '(SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)';

/** What pg_dump passes over without a word, or with one that the next backup does not repeat: why, and what. */
const losses: readonly (readonly [string, string])[] = [
  [
    'Indexes that were never finished are left out',
    `SELECT ${describe('pg_class', 'i.indexrelid')} AS object FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
     WHERE i.indexrelid >= 16384 AND c.relkind = 'i' AND NOT (i.indisvalid AND i.indisready)`,
  ],
  [
    'Foreign keys are kept as if they were in force, though their triggers are disabled',
    `SELECT DISTINCT ${describe('pg_constraint', 't.tgconstraint')} AS object FROM pg_catalog.pg_trigger t
     WHERE t.tgisinternal AND t.tgenabled = 'D' AND t.tgconstraint >= 16384 AND t.tgparentid = 0`,
  ],
  [
    "What is in the server's own schemas is left out",
    inSchemas
      .map(
        ([
          catalog,
          namespace,
          condition,
        ]) => `SELECT ${describe(catalog, 'o.oid')} AS object FROM pg_catalog.${catalog} o
          WHERE o.oid >= 16384 AND (${condition}) AND NOT ${isMember(catalog, 'o.oid')} AND o.${namespace} IN (SELECT n.oid
            FROM pg_catalog.pg_namespace n WHERE n.nspname IN ('pg_catalog', 'information_schema'))`,
      )
      .join(' UNION ALL '),
  ],
  [
    'Security labels are left out',
    `SELECT 'large object ' || l.objoid AS object FROM pg_catalog.pg_seclabel l
     WHERE l.classoid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass
     UNION ALL SELECT 'the database' FROM pg_catalog.pg_shseclabel l JOIN pg_catalog.pg_database b ON b.oid = l.objoid
     WHERE l.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass AND b.datname = pg_catalog.current_database()`,
  ],
  [
    // The view gives null both where there are none and where they are not shown.
    'Options of user mappings, which may be passwords, are left out where there are any: only a superuser or the owner of the server may read them',
    `SELECT 'the mapping of ' || m.usename || ' on server ' || m.srvname AS object FROM pg_catalog.pg_user_mappings m
     JOIN pg_catalog.pg_foreign_server s ON s.oid = m.srvid
     WHERE m.umoptions IS NULL AND NOT ${isSuperuser} AND NOT CASE WHEN m.umuser = 0 THEN pg_catalog.pg_has_role(s.srvowner, 'USAGE')
       ELSE m.usename = current_user AND (pg_catalog.pg_has_role(s.srvowner, 'USAGE') OR pg_catalog.has_server_privilege(s.oid, 'USAGE')) END`,
  ],
  [
    'Subscriptions are left out: only a superuser may read them',
    `SELECT 'subscription ' || pg_catalog.quote_ident(s.subname) AS object FROM pg_catalog.pg_subscription s
     JOIN pg_catalog.pg_database b ON b.oid = s.subdbid
     WHERE b.datname = pg_catalog.current_database() AND NOT ${isSuperuser}`,
  ],
  [
    'It is restored into the default tablespace of its server',
    `SELECT 'the database is in ' || pg_catalog.quote_ident(s.spcname) AS object FROM pg_catalog.pg_database b
     JOIN pg_catalog.pg_tablespace s ON s.oid = b.dattablespace
     WHERE b.datname = pg_catalog.current_database() AND s.spcname <> 'pg_default'`,
  ],
];

const sql = losses
  .map(([, one], number) => `SELECT ${number}::int4 AS number, l.object FROM (${one}) l`)
  .join(' UNION ALL ');

/** A line for each kind of thing that is in no definition, naming some of each. */
export async function readLosses(connection: Connection): Promise<string[]> {
  const rows = await connection.rows<{ number: number; object: string }>('look for what is left out', sql);
  return losses.flatMap(([why], number) => {
    const objects = rows.filter(row => row.number === number).map(row => row.object);
    return objects.length === 0 ? [] : [`${why}: ${listed(objects.sort())}`];
  });
}
