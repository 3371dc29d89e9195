/** Everything that a user made: numbers below 16384 are the server's own. Members of extensions come with those. */
export const userObjectsSql = `SELECT pg_catalog.pg_describe_object(o.class, o.oid, 0) FROM (
  ${[
    ['pg_namespace', "n.nspname <> 'public' AND n.nspname !~ '^pg_(toast_)?temp_'"],
    ['pg_class', "n.relpersistence <> 't' AND n.relnamespace <> 'pg_toast'::pg_catalog.regnamespace"],
    ...[
      'pg_extension',
      'pg_proc',
      'pg_operator',
      'pg_opfamily',
      'pg_collation',
      'pg_conversion',
      'pg_cast',
      'pg_event_trigger',
      'pg_publication',
      'pg_foreign_data_wrapper',
      'pg_foreign_server',
      'pg_language',
      'pg_ts_config',
      'pg_ts_dict',
      'pg_ts_parser',
      'pg_ts_template',
    ].map(name => [name, 'true']),
    ['pg_type', "n.typrelid = 0 AND n.typelem = 0 AND n.typtype <> 'm'"],
  ]
    .map(
      ([catalog, condition]) =>
        `SELECT 'pg_catalog.${catalog}'::pg_catalog.regclass::oid AS class, n.oid FROM pg_catalog.${catalog} n
         WHERE n.oid >= 16384 AND ${condition}`,
    )
    .join(' UNION ALL ')}
  UNION ALL SELECT 'pg_catalog.pg_largeobject'::pg_catalog.regclass::oid, l.oid FROM pg_catalog.pg_largeobject_metadata l
) o WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype = 'e')`;
