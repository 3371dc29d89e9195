import type { Connection } from '../connect/connection.ts';

const firstOfUsers = 16_384;

/** What reg* values and grants are written as: names of objects, by catalog. */
const catalogs: readonly (readonly [string, name: string, namespace: string, condition: string])[] = [
  ['pg_namespace', 'nspname', '0', 'true'],
  ['pg_roles', 'rolname', '0', 'true'],
  ['pg_database', 'datname', '0', 'true'],
  ...(
    [
      ['pg_class', 'relname', 'relnamespace'],
      ['pg_proc', 'proname', 'pronamespace'],
      ['pg_type', 'typname', 'typnamespace'],
      ['pg_operator', 'oprname', 'oprnamespace'],
      ['pg_collation', 'collname', 'collnamespace'],
      ['pg_ts_config', 'cfgname', 'cfgnamespace'],
      ['pg_ts_dict', 'dictname', 'dictnamespace'],
    ] as const
  ).map(([catalog, name, namespace]) => [catalog, name, namespace, `oid >= ${firstOfUsers}`] as const),
];

const namesSql = catalogs
  .map(
    ([catalog, name, namespace, condition]) =>
      `SELECT '${catalog} ' || oid AS object, ${namespace} || ' ' || ${name} AS name
       FROM pg_catalog.${catalog} WHERE ${condition}`,
  )
  .join(' UNION ALL ');

/** Whether an object of the view has another name now, or none. New ones do not matter. */
export async function haveNamesChanged(view: Connection, now: Connection): Promise<boolean> {
  const read = async (connection: Connection): Promise<Map<string, string>> => {
    const rows = await connection.rows<{ object: string; name: string }>('compare names', namesSql);
    return new Map(rows.map(row => [row.object, row.name]));
  };
  const later = await read(now);
  for (const [object, name] of await read(view)) if (later.get(object) !== name) return true;
  return false;
}
