/** An access list in an order that does not depend on how it came about. */
const acl = (column: string, kind: string, owner: string): string =>
  `(SELECT array_agg(a::text ORDER BY a::text) FROM unnest(coalesce(${column}, acldefault('${kind}', ${owner}))) a)`;
const role = (column: string): string => `pg_get_userbyid(${column})`;
const comment = (oid: string, catalog: string): string => `obj_description(${oid}, '${catalog}')`;
const user = (alias: string): string =>
  `${alias}.nspname !~ '^pg_' AND ${alias}.nspname <> 'information_schema'`;
const table = (oid: string): string => `${oid}::regclass::text`;

/** Everything that makes up a database beside its rows, by what it is; written against the catalogs of 14 and newer. */
export const catalogQueries: Readonly<Record<string, string>> = {
  database: `SELECT pg_encoding_to_char(encoding), datcollate, datctype, datconnlimit,
      shobj_description(d.oid, 'pg_database'), ${acl('datacl', 'd', 'datdba')},
      (SELECT array_agg(c ORDER BY c) FROM pg_db_role_setting s, unnest(s.setconfig) c WHERE s.setdatabase = d.oid)
    FROM pg_database d WHERE datname = current_database()`,
  schemas: `SELECT nspname, ${role('nspowner')}, ${acl('nspacl', 'n', 'nspowner')}, ${comment('oid', 'pg_namespace')}
    FROM pg_namespace n WHERE ${user('n')}`,
  relations: `SELECT ${table('c.oid')}, relkind, relpersistence, ${role('relowner')}, ${acl('relacl', 'r', 'relowner')},
      reloptions, relreplident, relrowsecurity, relforcerowsecurity, relispopulated, relispartition,
      pg_get_expr(relpartbound, c.oid), CASE WHEN relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
      (SELECT array_agg(${table('inhparent')} ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = c.oid),
      (SELECT spcname FROM pg_tablespace WHERE oid = reltablespace), (SELECT amname FROM pg_am WHERE oid = relam),
      reloftype::regtype::text, ${comment('c.oid', 'pg_class')}
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE ${user('n')} AND relkind IN ('r','p','v','m','S','f','c')`,
  columns: `SELECT ${table('attrelid')}, row_number() OVER (PARTITION BY attrelid ORDER BY attnum), attname,
      format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid), attgenerated, attidentity,
      (SELECT collname FROM pg_collation WHERE oid = attcollation), attstorage, attcompression,
      coalesce(attstattarget, -1), 
      ARRAY(SELECT o FROM unnest(attoptions) o WHERE split_part(o, '=', 1) <> 'pg_attver'), attfdwoptions, attislocal, attinhcount,
      CASE WHEN attacl IS NOT NULL THEN ${acl('attacl', 'c', 'relowner')} END, col_description(attrelid, attnum)
    FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
      LEFT JOIN pg_attrdef d ON d.adrelid = attrelid AND d.adnum = attnum
    WHERE ${user('n')} AND attnum > 0 AND NOT attisdropped AND relkind IN ('r','p','v','m','f','c')`,
  constraints: `SELECT ${table('conrelid')}, contypid::regtype::text, conname, pg_get_constraintdef(c.oid), convalidated,
      conislocal, coninhcount, ${comment('c.oid', 'pg_constraint')}
    FROM pg_constraint c JOIN pg_namespace n ON n.oid = connamespace WHERE ${user('n')}`,
  indexes: `SELECT pg_get_indexdef(indexrelid), indisclustered, indisvalid, indisreplident, indisprimary, reloptions,
      ${comment('indexrelid', 'pg_class')}
    FROM pg_index i JOIN pg_class c ON c.oid = indexrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE ${user('n')}`,
  rules: `SELECT ${table('ev_class')}, pg_get_ruledef(r.oid), ev_enabled, ${comment('r.oid', 'pg_rewrite')}
    FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class JOIN pg_namespace n ON n.oid = relnamespace WHERE ${user('n')}`,
  triggers: `SELECT pg_get_triggerdef(t.oid), tgenabled, ${comment('t.oid', 'pg_trigger')}
    FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace
    WHERE ${user('n')} AND NOT tgisinternal`,
  policies: 'SELECT * FROM pg_policies',
  functions: `SELECT p.oid::regprocedure::text, prokind, CASE WHEN prokind <> 'a' THEN pg_get_functiondef(p.oid) END,
      ${role('proowner')}, ${acl('proacl', 'f', 'proowner')}, ${comment('p.oid', 'pg_proc')}
    FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE ${user('n')}`,
  // Before 17 a multirange keeps its first owner when its range gets another, and nobody can change it.
  types: `SELECT format_type(t.oid, NULL), typtype,
      CASE WHEN typtype <> 'm' AND NOT EXISTS (SELECT FROM pg_type e WHERE e.oid = t.typelem AND e.typtype = 'm') THEN ARRAY[${role('typowner')}::text] || ${acl('typacl', 'T', 'typowner')} END,
      format_type(typbasetype, typtypmod), typnotnull, typdefault,
      (SELECT collname FROM pg_collation WHERE oid = typcollation),
      (SELECT array_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid),
      (SELECT ARRAY[rngsubtype::regtype::text, rngcanonical::text, rngsubdiff::text] FROM pg_range WHERE rngtypid = t.oid),
      ${comment('t.oid', 'pg_type')}
    FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE ${user('n')} AND typtype IN ('d', 'e', 'r', 'm', 'b')`,
  sequences: `SELECT ${table('seqrelid')}, seqtypid::regtype::text, seqstart, seqincrement, seqmax, seqmin, seqcache,
      seqcycle, last_value, (SELECT array_agg(ARRAY[${table('refobjid')}, refobjsubid::text, deptype::text])
        FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = seqrelid
          AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i'))
    FROM pg_sequence s LEFT JOIN pg_sequences v ON format('%I.%I', schemaname, sequencename)::regclass = seqrelid
    WHERE (SELECT relpersistence FROM pg_class WHERE oid = seqrelid) <> 't'`,
  statistics: `SELECT pg_get_statisticsobjdef(s.oid), coalesce(stxstattarget, -1), ${comment('s.oid', 'pg_statistic_ext')}
    FROM pg_statistic_ext s`,
  extensions: `SELECT extname, extversion, extnamespace::regnamespace::text FROM pg_extension`,
  defaultPrivileges: `SELECT ${role('defaclrole')}, defaclnamespace::regnamespace::text, defaclobjtype,
      (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(defaclacl) a) FROM pg_default_acl`,
  publications: 'SELECT pubname, puballtables, pubinsert, pubupdate, pubdelete FROM pg_publication',
  publishedTables: `SELECT p.pubname, ${table('prrelid')} FROM pg_publication_rel r JOIN pg_publication p ON p.oid = prpubid`,
  eventTriggers:
    'SELECT evtname, evtevent, evtfoid::regproc::text, evtenabled, evttags FROM pg_event_trigger',
  foreign: `SELECT srvname, srvtype, srvversion, srvoptions, fdwname FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = srvfdw`,
  // Whatever else there is shows at least that it is there.
  objects: `SELECT (pg_identify_object(classid, oid, 0)).* FROM (${[
    ...[
      'pg_operator',
      'pg_opclass',
      'pg_opfamily',
      'pg_collation',
      'pg_conversion',
      'pg_cast',
      'pg_language',
    ],
    ...['pg_ts_config', 'pg_ts_dict', 'pg_ts_parser', 'pg_ts_template', 'pg_foreign_data_wrapper', 'pg_am'],
    ...['pg_transform', 'pg_event_trigger'],
  ]
    .map(name => `SELECT '${name}'::regclass::oid AS classid, oid FROM ${name} WHERE oid >= 16384`)
    .join(' UNION ALL ')}) o`,
  largeObjects: `SELECT oid, ${role('lomowner')}, ${acl('lomacl', 'L', 'lomowner')}, md5(lo_get(oid)),
      octet_length(lo_get(oid)), ${comment('oid', 'pg_largeobject')} FROM pg_largeobject_metadata`,
};

/** Tables whose rows are compared: whole partitioned tables rather than partitions, which may differ between servers. */
export const tablesQuery = `SELECT format('%I.%I', nspname, relname) AS name, relkind AS kind
  FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
  WHERE ${user('n')} AND NOT relispartition AND (relkind IN ('r', 'p') OR (relkind = 'm' AND relispopulated)) ORDER BY 1`;
