import type { Connection } from './connection.ts';

/** What pg_dump is called in pg_stat_activity. */
export const dumpApplicationName = 'stillpoint definitions';

/** What libpq's own programs need to reach the same database. The password goes this way, never in an argument. */
export function libpqEnvironment(connection: Connection): Record<string, string> {
  const { client, parameters } = connection;
  const mode = parameters.get('sslmode') ?? process.env['PGSSLMODE'] ?? (client.ssl ? 'require' : undefined);
  const values: Readonly<Record<string, string | number | null | undefined>> = {
    PGHOST: client.host,
    PGPORT: client.port,
    PGUSER: client.user,
    PGDATABASE: client.database,
    PGPASSWORD: client.password,
    PGSSLMODE: mode === 'no-verify' ? 'require' : mode, // libpq's require does not verify
    PGSSLROOTCERT: parameters.get('sslrootcert'),
    PGSSLCERT: parameters.get('sslcert'),
    PGSSLKEY: parameters.get('sslkey'),
    PGAPPNAME: dumpApplicationName,
    PGOPTIONS: '',
  };
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value == null ? [] : [[name, String(value)]])),
  );
}
