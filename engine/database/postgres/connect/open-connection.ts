import type { Client } from 'pg';
import { StillpointError } from '../../../../store/index.ts';
import { engineError } from '../../../errors.ts';
import type { PostgresAddress } from '../types.ts';
import { connectError } from './connect-failure.ts';
import { addressOf, Connection } from './connection.ts';
import { type ConnInfo, resolveConnInfo } from './conninfo.ts';
import { databaseError } from './failure.ts';
import { ignoredPasswordFile, passwordFromFile } from './password.ts';
import { sessionSettings } from './settings.ts';
import { makeSocket } from './socket.ts';
import { type Way, waysTo } from './tls.ts';

/** 14 is the first with TID range scans and bit_xor, on which segments and the catalog fingerprint rest. */
const oldestServer = 140_000;
const connectTimeoutMs = 20_000;
const keepAliveMs = 30_000;

export interface ConnectionOptions extends PostgresAddress {
  /** Another database of the same server than the URL names. */
  readonly database?: string | undefined;
  /** Shown in pg_stat_activity. */
  readonly purpose: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a connection and settles how values look on it: to the first host that answers, and of several to the primary.
 * DATABASE_UNREACHABLE, DATABASE_RIGHTS, DATABASE_UNSUPPORTED, CONFIG_INVALID.
 */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  const info = resolveConnInfo(options.url);
  let first: unknown;
  for (const place of info.hosts) {
    try {
      const connection = await openAt(place, { ...options, info });
      if (info.hosts.length === 1 || (await isPrimary(connection))) return connection;
      await connection.close();
      first ??= engineError(
        'DATABASE_UNREACHABLE',
        `Cannot work with ${connection.address}: it is a standby`,
        {
          remedy: 'Name the primary among the hosts of the database URL.',
        },
      );
    } catch (error) {
      const isGone = error instanceof StillpointError && error.code === 'DATABASE_UNREACHABLE';
      if (!isGone) throw error;
      first ??= error;
    }
  }
  throw first;
}

interface OpenOptions extends ConnectionOptions {
  readonly info: ConnInfo;
}

type Place = ConnInfo['hosts'][number];

async function openAt(place: Place, options: OpenOptions): Promise<Connection> {
  const ways = waysTo(options.info, place.host);
  let first: unknown;
  for (const [i, way] of ways.entries()) {
    try {
      return await openBy(place, { ...options, way });
    } catch (error) {
      if (!mayGoAnotherWay(error)) throw error;
      // Why it is let in by no way says more than that there is no other.
      first = lacksTls(error) ? (first ?? error) : error;
      if (i === ways.length - 1) throw first;
    }
  }
  throw new TypeError('Cannot connect: there is no way');
}

const lacksTls = (error: unknown): boolean =>
  error instanceof Error && /does not support SSL/.test(error.message);

/** The server has no TLS, or lets nobody in without it. */
function mayGoAnotherWay(error: unknown): boolean {
  return error instanceof StillpointError && (lacksTls(error) || error.message.includes('pg_hba.conf'));
}

async function openBy(place: Place, options: OpenOptions & { readonly way: Way }): Promise<Connection> {
  options.signal?.throwIfAborted();
  const client = await makeClient(place, options);
  const abort = (): void => void client.connection.stream.destroy();
  options.signal?.addEventListener('abort', abort, { once: true });
  try {
    client.on('error', () => {}); // told by the statement under way; without a listener Node ends
    await connect(client, options.info);
    return await settle(client, options.info);
  } catch (error) {
    client.connection.stream.destroy();
    throw options.signal?.aborted ? options.signal.reason : error;
  } finally {
    options.signal?.removeEventListener('abort', abort);
  }
}

async function isPrimary(connection: Connection): Promise<boolean> {
  const [row] = await connection.rows<{ standby: boolean }>(
    'look at the server',
    'SELECT pg_catalog.pg_is_in_recovery() AS standby',
  );
  return !row!.standby;
}

/** The database that the address names, by libpq's rules. */
export async function databaseNameOf(address: PostgresAddress): Promise<string> {
  const { database } = resolveConnInfo(address.url);
  if (database) return database;
  throw engineError('CONFIG_INVALID', 'Cannot tell the database: the URL names none', {
    remedy: 'Write it as postgresql://user@host:5432/database.',
  });
}

async function makeClient(
  { host, port }: Place,
  options: OpenOptions & { readonly way: Way },
): Promise<Client> {
  const { Client } = (await import('pg')).default;
  const { info, way } = options;
  const database = options.database ?? info.database;
  const question = { host, port, database, user: info.user };
  const password = options.password ?? info.password ?? passwordFromFile(question, info);
  return new Client({
    host,
    port,
    database,
    user: info.user,
    ...(password === undefined ? {} : { password }),
    ssl: way,
    application_name: `stillpoint ${options.purpose}`,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveMs, // the pin is idle while rows are read
    stream: makeSocket,
    client_encoding: 'UTF8', // for names; rows ask for the server's own encoding
  });
}

async function connect(client: Client, info: ConnInfo): Promise<void> {
  try {
    await client.connect();
  } catch (error) {
    throw connectError(error, {
      address: addressOf(client),
      user: client.user ?? '?',
      database: client.database ?? '',
      ignoredFile: ignoredPasswordFile(info),
    });
  }
}

async function settle(client: Client, info: ConnInfo): Promise<Connection> {
  const address = addressOf(client);
  const { version, pid } = await firstAnswer(client, `prepare the connection to ${address}`);
  if (version < oldestServer)
    throw engineError(
      'DATABASE_UNSUPPORTED',
      `Cannot work with ${address}: it is PostgreSQL ${Math.floor(version / 10_000)}`,
      { remedy: 'Upgrade the server to PostgreSQL 14 or newer.' },
    );
  // A pooler invents the number that it gives its clients.
  if ((client as unknown as { processID: number | null }).processID !== pid) throw poolerAnswers(address);
  const connection = new Connection(client, { pid, versionNumber: version, info });
  await connection.script(`prepare the connection to ${address}`, [
    `SELECT ${sessionSettings(version)
      .map(([name, value]) => `pg_catalog.set_config('${name}', '${value}', false)`)
      .join(', ')}, pg_catalog.set_config('${sessionName}', '${pid}', false)`,
  ]);
  return connection;
}

async function firstAnswer(client: Client, action: string): Promise<{ version: number; pid: number }> {
  try {
    const { rows } = await client.query<{ version: number; pid: number }>(
      "SELECT pg_catalog.current_setting('server_version_num')::int AS version, pg_catalog.pg_backend_pid() AS pid",
    );
    return rows[0]!;
  } catch (error) {
    throw databaseError(action, error);
  }
}

/** A setting of our own: which backend it was set on. */
const sessionName = 'stillpoint.session';

/**
 * Asks all connections at once whether each still has its own backend, with what was set there: a pooler that passes a
 * backend's number on may yet give its clients another one for each transaction. DATABASE_UNSUPPORTED.
 */
export async function checkBackends(connections: readonly Connection[]): Promise<void> {
  const found = await Promise.all(
    connections.map(one =>
      one.rows<{ pid: number; session: string | null; started: string }>(
        'look at the connections',
        `SELECT pg_catalog.pg_backend_pid() AS pid, pg_catalog.current_setting('${sessionName}', true) AS session,
          pg_catalog.pg_postmaster_start_time()::text AS started`,
      ),
    ),
  );
  const isOwn = found.every(
    ([row], i) =>
      row!.pid === connections[i]!.backendPid && row!.session === String(connections[i]!.backendPid),
  );
  if (new Set(found.map(([row]) => row!.started)).size > 1)
    throw engineError(
      'DATABASE_UNSUPPORTED',
      `Cannot work with ${connections[0]!.address}: two servers answer`,
      {
        remedy: 'Give the host of one of them: what belongs together must come from one server.',
      },
    );
  if (!isOwn || new Set(connections.map(one => one.backendPid)).size < connections.length)
    throw poolerAnswers(connections[0]!.address);
}

function poolerAnswers(address: string): Error {
  return engineError('DATABASE_UNSUPPORTED', `Cannot work with ${address}: a connection pooler answers`, {
    remedy:
      'Give host and port of the PostgreSQL server itself (PgBouncer listens on 6432 by default, PostgreSQL on 5432).',
  });
}
