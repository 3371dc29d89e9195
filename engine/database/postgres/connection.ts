import type { Client } from 'pg';
import { engineError } from '../../errors.ts';
import { connectError } from './connect-failure.ts';
import { databaseError } from './failure.ts';
import { passwordFromFile } from './password.ts';
import { sessionSettings } from './settings.ts';
import { makeSocket } from './socket.ts';
import type { PostgresAddress } from './types.ts';

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
 * One backend. Statements run one at a time. After the connection is lost every call fails with DATABASE_FAILED; nothing
 * waits for ever and no 'error' event is left without a listener.
 */
export class Connection implements AsyncDisposable {
  readonly #client: Client;
  readonly serverVersionNumber: number;
  readonly backendPid: number;
  /** What the URL says after its `?`. */
  readonly parameters: URLSearchParams;
  #lost: unknown;

  constructor(
    client: Client,
    backend: { readonly pid: number; readonly versionNumber: number; readonly parameters: URLSearchParams },
  ) {
    this.#client = client;
    this.parameters = backend.parameters;
    this.backendPid = backend.pid;
    this.serverVersionNumber = backend.versionNumber;
    client.on('error', error => {
      this.#lost ??= error;
    });
    client.on('end', () => {
      this.#lost ??= new Error('the connection was closed');
    });
  }

  /** For COPY streams and for readers of the catalogs. */
  get client(): Client {
    return this.#client;
  }

  /** `host:port/database`, for messages. */
  get address(): string {
    return addressOf(this.#client);
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** One statement; rows by column name. `action` names the work in the error: "Cannot <action>: …". */
  async rows<T>(action: string, sql: string): Promise<T[]> {
    this.#throwIfLost(action);
    try {
      return (await this.#client.query(sql)).rows as T[];
    } catch (error) {
      throw databaseError(action, error);
    }
  }

  /** Several statements in one message and one round trip; each one's rows as arrays of columns. */
  async script(action: string, statements: readonly string[]): Promise<(readonly unknown[])[][]> {
    this.#throwIfLost(action);
    try {
      const answer: unknown = await this.#client.query({ text: statements.join(';\n'), rowMode: 'array' });
      const results = (Array.isArray(answer) ? answer : [answer]) as { rows: (readonly unknown[])[] }[];
      return results.map(result => result.rows);
    } catch (error) {
      throw databaseError(action, error);
    }
  }

  /** Cuts the line at once: what runs on it fails, the server rolls back. The only safe way out of a COPY. */
  destroy(): void {
    this.#lost ??= new Error('the connection was cut');
    this.#client.connection.stream.destroy();
  }

  /** Idempotent, never throws. */
  async close(): Promise<void> {
    if (this.isLost) return this.destroy();
    await this.#client.end().catch(() => {}); // whatever it says, the connection is gone
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** What ended this connection, as the failure of an action. */
  lostError(action: string): Error {
    return databaseError(action, this.#lost);
  }

  #throwIfLost(action: string): void {
    if (this.isLost) throw this.lostError(action);
  }
}

/** Opens a connection and settles how values look on it. DATABASE_UNREACHABLE, DATABASE_RIGHTS, DATABASE_UNSUPPORTED. */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  options.signal?.throwIfAborted();
  const client = await makeClient(options);
  const abort = (): void => void client.connection.stream.destroy();
  options.signal?.addEventListener('abort', abort, { once: true });
  try {
    client.on('error', () => {}); // told by the statement under way; without a listener Node ends
    await connect(client);
    return await settle(client, new URLSearchParams(options.url.split('?')[1] ?? ''));
  } catch (error) {
    client.connection.stream.destroy();
    throw options.signal?.aborted ? options.signal.reason : error;
  } finally {
    options.signal?.removeEventListener('abort', abort);
  }
}

/** The database that the address names, by pg's rules. */
export async function databaseNameOf(address: PostgresAddress): Promise<string> {
  const { database } = await makeClient({ ...address, purpose: 'name' });
  if (database) return database;
  throw engineError('CONFIG_INVALID', 'Cannot tell the database: the URL names none', {
    remedy: 'Write it as postgresql://user@host:5432/database.',
  });
}

async function makeClient(options: ConnectionOptions): Promise<Client> {
  const { Client } = (await import('pg')).default;
  let client: Client;
  try {
    client = new Client({
      connectionString: options.url,
      application_name: `stillpoint ${options.purpose}`,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: keepAliveMs, // the pin is idle while rows are read
      stream: makeSocket,
      client_encoding: 'UTF8', // for names; rows ask for the server's own encoding
    });
  } catch {
    // No cause: the parser's error quotes the URL, which may hold a password.
    throw engineError('CONFIG_INVALID', 'Cannot read the database URL: it is not a postgresql:// URL', {
      remedy: 'Write it as postgresql://user@host:5432/database.',
    });
  }
  if (options.database !== undefined) {
    client.database = options.database;
    (client as unknown as { connectionParameters: { database: string } }).connectionParameters.database =
      options.database;
  }
  const password = options.password ?? (client.password ? undefined : passwordFromFile(questionOf(client)));
  if (password !== undefined) client.password = password;
  return client;
}

function questionOf(client: Client): { host: string; port: number; database: string; user: string } {
  const { host, port } = client;
  return { host, port, database: client.database ?? '', user: client.user ?? '' };
}

function addressOf(client: Client): string {
  return `${client.host}:${client.port}/${client.database ?? ''}`;
}

async function connect(client: Client): Promise<void> {
  try {
    await client.connect();
  } catch (error) {
    throw connectError(error, {
      address: addressOf(client),
      user: client.user ?? '?',
      database: client.database ?? '',
    });
  }
}

async function settle(client: Client, parameters: URLSearchParams): Promise<Connection> {
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
  const connection = new Connection(client, { pid, versionNumber: version, parameters });
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
      one.rows<{ pid: number; session: string | null }>(
        'look at the connections',
        `SELECT pg_catalog.pg_backend_pid() AS pid, pg_catalog.current_setting('${sessionName}', true) AS session`,
      ),
    ),
  );
  const isOwn = found.every(
    ([row], i) =>
      row!.pid === connections[i]!.backendPid && row!.session === String(connections[i]!.backendPid),
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
