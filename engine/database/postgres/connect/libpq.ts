import { existsSync } from 'node:fs';
import type { Connection } from './connection.ts';
import { sslModeFor } from './tls.ts';

/** What pg_dump is called in pg_stat_activity. */
export const dumpApplicationName = 'stillpoint definitions';

/** Where Debian, Fedora and Alpine keep the authorities that all of the machine trusts. */
const systemRoots = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/cert.pem',
];

/**
 * What libpq's own programs need to reach the same database, in the place of all that the environment says of another.
 * The password goes this way, never in an argument.
 */
export function libpqEnvironment(connection: Connection): Record<string, string | undefined> {
  const { client, info } = connection;
  const roots = info.sslrootcert === 'system' ? systemRoots.find(file => existsSync(file)) : info.sslrootcert;
  const isTls = Boolean(client.ssl);
  const mode = sslModeFor(info, client.host);
  const values: Readonly<Record<string, string | number | null | undefined>> = {
    PGHOST: client.host,
    PGPORT: client.port,
    PGUSER: client.user,
    PGDATABASE: client.database,
    PGPASSWORD: client.password,
    // As this connection came to be.
    PGSSLMODE: mode === 'allow' || mode === 'prefer' ? (isTls ? 'require' : 'disable') : mode,
    PGSSLROOTCERT: roots,
    PGSSLCERT: info.sslcert,
    PGSSLKEY: info.sslkey,
    PGAPPNAME: dumpApplicationName,
    PGOPTIONS: '',
    PGSERVICE: undefined,
    PGHOSTADDR: undefined,
    PGTARGETSESSIONATTRS: undefined,
  };
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, value == null ? undefined : String(value)]),
  );
}
