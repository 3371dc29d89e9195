import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2';
import { systemSeams } from '../../store/index.ts';
import { serverAccount } from './account.ts';
import { makeScratch, type Storage } from './scratch.ts';
import { watchServer } from './watcher.ts';

export interface MariadbOptions {
  /** Server options, `max-allowed-packet` and the like. */
  readonly settings?: Readonly<Record<string, string | number>>;
  readonly storage?: Storage;
}

/** A client that a test speaks to the server with: nothing of the program's own. */
export interface MariadbClient {
  readonly id: number;
  /** Rows as the driver gives them. */
  query(sql: string): Promise<Record<string, unknown>[]>;
  end(): Promise<void>;
}

/** A running MariaDB in a temporary folder, which listens on a Unix socket alone. */
export interface MariadbServer extends AsyncDisposable {
  readonly socketPath: string;
  /** For the program: by the socket, as root unless told. */
  url(database: string, user?: { readonly name: string; readonly password: string }): string;
  connect(database?: string, options?: { readonly charset?: string }): Promise<MariadbClient>;
  /** One statement, or more with a semicolon between, on a session of its own. */
  sql(text: string, database?: string): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
}

const run = promisify(execFile);
const startTimeoutMs = 20_000;
const installing = 'apt-get install --no-install-recommends mariadb-server';

/** Why there is no server to be had here; undefined: there is one. */
export async function mariadbMissing(): Promise<string | undefined> {
  if ((await findProgram('mariadbd')) && (await findProgram('mariadb-install-db'))) return undefined;
  if (process.getuid?.() !== 0) return `mariadbd is not on this machine: ${installing}`;
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    await run('apt-get', ['install', '-y', '--no-install-recommends', 'mariadb-server'], {
      env,
      timeout: 180_000,
    });
    return (await findProgram('mariadbd'))
      ? undefined
      : `mariadbd is not on this machine after ${installing}`;
  } catch {
    return `mariadbd is not on this machine, and cannot be installed: ${installing}`;
  }
}

async function findProgram(name: string): Promise<string | undefined> {
  for (const folder of [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'])
    try {
      await run(join(folder, name), ['--version']);
      return join(folder, name);
    } catch {
      // not there
    }
  return undefined;
}

const defaults = {
  'innodb-buffer-pool-size': '48M',
  'innodb-log-file-size': '16M',
  // Nothing here must survive a power cut.
  'innodb-flush-log-at-trx-commit': 0,
  'innodb-doublewrite': 0,
  'innodb-fast-shutdown': 2,
  'performance-schema': 'OFF',
  'lc-messages-dir': '/usr/share/mysql',
};

/** Makes and starts a server: about 2 s. It ends with this process, however that ends. */
export async function startMariadb(options: MariadbOptions = {}): Promise<MariadbServer> {
  const account = serverAccount();
  const folder = await makeScratch(account, options.storage ?? 'auto');
  const watcher = watchServer(folder);
  const owner = { uid: account.uid, gid: account.gid };
  const as = account.foreign ? owner : {};
  const data = join(folder, 'data');
  const socketPath = join(folder, 's.sock');
  const log = join(folder, 'log');
  try {
    const server = await findProgram('mariadbd');
    const install = await findProgram('mariadb-install-db');
    if (!server || !install) throw new Error(`Cannot start MariaDB: ${installing}`);
    await run(
      install,
      [
        ...[
          '--no-defaults',
          `--datadir=${data}`,
          '--auth-root-authentication-method=normal',
          '--skip-test-db',
        ],
        ...['--skip-name-resolve', '--innodb-log-file-size=16M', '--innodb-flush-log-at-trx-commit=0'],
      ],
      { ...as, cwd: folder },
    );
    const settings = { ...defaults, ...options.settings };
    const child = spawn(
      server,
      [
        ...[
          '--no-defaults',
          `--datadir=${data}`,
          `--socket=${socketPath}`,
          '--skip-networking',
          `--log-error=${log}`,
        ],
        ...[`--pid-file=${join(folder, 'pid')}`, `--tmpdir=${folder}`],
        ...Object.entries(settings).map(([name, value]) => `--${name}=${value}`),
      ],
      { ...as, cwd: folder, stdio: 'ignore' },
    );
    watcher.watch(child.pid!);
    await ready(child, { socketPath, log });
    return new Server({ child, folder, socketPath, release: () => watcher.release() });
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    watcher.release();
    throw error;
  }
}

async function ready(
  child: ChildProcess,
  { socketPath, log }: { readonly socketPath: string; readonly log: string },
): Promise<void> {
  const { clock } = systemSeams;
  const deadline = clock.monotonicMs() + startTimeoutMs;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null || clock.monotonicMs() > deadline)
      throw new Error(`Cannot start MariaDB:\n${await readFile(log, 'utf8').catch(() => '')}`);
    try {
      await (await connect(socketPath)).end();
      return;
    } catch {
      await clock.sleep(20);
    }
  }
}

async function connect(
  socketPath: string,
  options: { readonly database?: string | undefined; readonly charset?: string } = {},
): Promise<MariadbClient> {
  const { database, charset = 'utf8mb4_general_ci' } = options;
  const driver: Connection = createConnection({
    ...{
      socketPath,
      user: 'root',
      multipleStatements: true,
      charset,
      supportBigNumbers: true,
      bigNumberStrings: true,
    },
    ...{ dateStrings: true, jsonStrings: true },
    ...(database !== undefined && { database }),
  });
  await new Promise<void>((resolve, reject) => {
    driver.on('error', () => {}); // whoever waits is told
    driver.connect(error => (error ? reject(error) : resolve()));
  });
  return {
    id: driver.threadId ?? 0,
    query: sql =>
      new Promise((resolve, reject) => {
        driver.query(sql, (error, rows) =>
          error ? reject(error) : resolve(Array.isArray(rows) ? (rows as RowDataPacket[]) : []),
        );
      }),
    end: () => new Promise(resolve => driver.end(() => resolve())),
  };
}

class Server implements MariadbServer {
  readonly #made: {
    readonly child: ChildProcess;
    readonly folder: string;
    readonly socketPath: string;
    readonly release: () => void;
  };
  constructor(made: { child: ChildProcess; folder: string; socketPath: string; release: () => void }) {
    this.#made = made;
    made.child.unref();
  }

  get socketPath(): string {
    return this.#made.socketPath;
  }

  url(
    database: string,
    user: { readonly name: string; readonly password: string } = { name: 'root', password: '' },
  ): string {
    const { name, password } = user;
    const who = password === '' ? name : `${name}:${encodeURIComponent(password)}`;
    return `mysql://${who}@localhost/${encodeURIComponent(database)}?socket=${this.socketPath}`;
  }

  connect(database?: string, options?: { readonly charset?: string }): Promise<MariadbClient> {
    return connect(this.socketPath, { database, ...options });
  }

  async sql(text: string, database?: string): Promise<Record<string, unknown>[]> {
    const client = await this.connect(database);
    try {
      return await client.query(text);
    } finally {
      await client.end();
    }
  }

  async stop(): Promise<void> {
    const { child, folder, release } = this.#made;
    if (child.exitCode === null && child.signalCode === null) {
      child.ref();
      const ended = once(child, 'exit');
      child.kill('SIGKILL'); // its folder goes anyway
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
    release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
