import { engineError } from '../../errors.ts';
import { type SslMode, sslModes, type TlsWish } from './tls.ts';

/** Where a server is, and who asks. */
export interface MysqlAddress {
  readonly host: string;
  readonly port: number;
  /** A Unix socket; host and port count for nothing then. */
  readonly socketPath: string | undefined;
  readonly user: string;
  readonly password: string | undefined;
  readonly database: string;
  readonly tls: TlsWish;
  /** Without a password. */
  readonly shown: string;
}

const portDefault = 3306;

const parameters = ['socket', 'ssl-mode', 'ssl-ca', 'ssl-cert', 'ssl-key'] as const;

/**
 * Reads `mysql://user:password@host:port/name` or `mariadb://…`, with `?socket=/path` for a Unix socket and `ssl-…` for encryption.
 * A password that is given apart wins; without either, MYSQL_PWD counts. CONFIG_INVALID for what it does not know.
 */
export function readAddress(given: {
  readonly url: string;
  readonly password?: string | undefined;
}): MysqlAddress {
  const url = parsed(given.url);
  const database = decoded(url.pathname.slice(1));
  if (database === '' || database.includes('/'))
    throw invalid('it names no database', 'Write mysql://user@host:3306/name.');
  const others = [...url.searchParams.keys()].filter(
    name => !(parameters as readonly string[]).includes(name),
  );
  if (others.length > 0)
    throw invalid(`the parameter ${others[0]} is unknown`, `Parameters are ${parameters.join(', ')}.`);
  const socketPath = url.searchParams.get('socket') ?? undefined;
  if (socketPath !== undefined && !socketPath.startsWith('/'))
    throw invalid('its socket is no absolute path', 'Write ?socket=/run/mysqld/mysqld.sock.');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1') || 'localhost';
  const port = url.port === '' ? portDefault : Number(url.port);
  const inUrl = url.password === '' ? undefined : decoded(url.password);
  return {
    ...{ host, port, socketPath, database, tls: tlsIn(url) },
    user: decoded(url.username) || (process.env['USER'] ?? 'root'),
    password: given.password ?? inUrl ?? process.env['MYSQL_PWD'],
    shown: `${socketPath ?? `${host}:${port}`}/${database}`,
  };
}

function tlsIn({ searchParams }: URL): TlsWish {
  const of = (name: (typeof parameters)[number]) => searchParams.get(name) ?? undefined;
  const mode = of('ssl-mode')?.toLowerCase();
  if (mode !== undefined && !(sslModes as readonly string[]).includes(mode))
    throw invalid(`its ssl-mode is ${mode}`, `Give one of ${sslModes.join(', ')}.`);
  return { mode: mode as SslMode | undefined, ca: of('ssl-ca'), cert: of('ssl-cert'), key: of('ssl-key') };
}

function parsed(text: string): URL {
  try {
    const url = new URL(text);
    if (url.protocol === 'mysql:' || url.protocol === 'mariadb:') return url;
  } catch {
    // said below, without the text: it may hold a password
  }
  throw invalid(
    'it is no mysql:// URL',
    'Write mysql://user@host:3306/name, with special characters as %XX.',
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid('a % in it is not followed by two digits', 'Write % itself as %25.');
  }
}

function invalid(found: string, remedy: string): Error {
  return engineError('CONFIG_INVALID', `Cannot use the database's URL: ${found}`, { remedy });
}
