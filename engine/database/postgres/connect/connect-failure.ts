import type { StillpointError } from '../../../../store/index.ts';
import { type EngineErrorCode, engineError } from '../../../errors.ts';
import { identifier } from '../sql/quoting.ts';
import { failureOf } from './failure.ts';

interface Wanted {
  /** `host:port/database`. */
  readonly address: string;
  readonly user: string;
  readonly database: string;
  /** A password file that was not read, since others may read it. */
  readonly ignoredFile?: string | undefined;
}

const credentials = 'Check user and password (URL, passwordFile, PGPASSWORD or PGPASSFILE)';

/** Why nobody answered, or who was not let in, and what to do: DATABASE_UNREACHABLE, DATABASE_RIGHTS. */
export function connectError(error: unknown, wanted: Wanted): StillpointError {
  const { message, sqlState } = failureOf(error);
  const [code, remedy] = meaningOf({ message, sqlState: sqlState ?? '' }, wanted);
  const found = /client password must be a string/.test(message)
    ? 'the server wants a password, and none was given'
    : message;
  const isLogin = code === 'DATABASE_RIGHTS' && remedy.startsWith(credentials);
  const ignored = isLogin && wanted.ignoredFile !== undefined;
  return engineError(code, `Cannot connect to ${wanted.address} as ${wanted.user}: ${found}`, {
    remedy: ignored
      ? `${wanted.ignoredFile} was not read, since others may read it: chmod 600 ${wanted.ignoredFile}. ${remedy}`
      : remedy,
    context: sqlState === undefined ? {} : { sqlState },
    cause: error,
  });
}

function meaningOf(
  { message, sqlState }: { readonly message: string; readonly sqlState: string },
  { user, database }: Wanted,
): [code: EngineErrorCode, remedy: string] {
  const role = identifier(user);
  if (message.includes('pg_hba.conf')) {
    const isLocal = message.includes('host "[local]"');
    const line = `${isLocal ? 'local' : 'host'} ${hbaName(database)} ${hbaName(user)}${isLocal ? '' : ' ADDRESS/32'} scram-sha-256`;
    return [
      'DATABASE_RIGHTS',
      `Let it in by a line above the one that refuses, in pg_hba.conf on the server: ${line}; then SELECT pg_reload_conf();`,
    ];
  }
  if (message.includes('not permitted to log in'))
    return ['DATABASE_RIGHTS', `As a superuser: ALTER ROLE ${role} LOGIN;`];
  if (sqlState.startsWith('28') || message.startsWith('SASL'))
    return ['DATABASE_RIGHTS', `${credentials} and pg_hba.conf.`];
  if (sqlState === '42501')
    return [
      'DATABASE_RIGHTS',
      `As a superuser: GRANT CONNECT ON DATABASE ${identifier(database)} TO ${role};`,
    ];
  if (sqlState === '3D000')
    return [
      'DATABASE_UNREACHABLE',
      'Check the name of the database in database.url; `psql -l` lists those of the server.',
    ];
  if (sqlState === '53300')
    return [
      'DATABASE_UNREACHABLE',
      'Raise max_connections of the server, or the CONNECTION LIMIT of the role or the database: a run needs up to six.',
    ];
  if (sqlState === '57P03')
    return [
      'DATABASE_UNREACHABLE',
      'Wait until the server has started, or has recovered; then run it again.',
    ];
  if (/^Received unexpected .+ from backend/.test(message) || message.startsWith('Unknown message'))
    return [
      'DATABASE_UNREACHABLE',
      'What answers there is no PostgreSQL. MariaDB has database.type: mysql, and a mysql:// URL.',
    ];
  if (/\b(SSL|TLS)\b|certificate|altname/i.test(message))
    return [
      'DATABASE_UNREACHABLE',
      'Check sslmode and the certificates in database.url against what the server offers.',
    ];
  return [
    'DATABASE_UNREACHABLE',
    'Check that the server runs and that host, port and database name are right.',
  ];
}

/** As pg_hba.conf wants a name. */
function hbaName(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) && name !== 'all' ? name : identifier(name);
}
