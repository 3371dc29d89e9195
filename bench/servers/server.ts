import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemSeams } from '../../store/index.ts';
import { type Account, serverAccount } from './account.ts';
import { findServer, needsUnpacking, type ServerKind, serverVersion } from './kinds.ts';
import { makeScratch, type Storage, socketDirIn } from './scratch.ts';
import { fillCluster } from './template.ts';
import { type Watcher, watchServer } from './watcher.ts';

export interface ServerOptions {
  readonly kind: ServerKind;
  /** `debian` only: which one; the newest by default. */
  readonly major?: number;
  /** `embedded` only: the folder `native` of another version's package. */
  readonly native?: string;
  /** Server settings, as with `-c`; they win over the defaults. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  /** Where the data lies; `auto` unless told. A benchmark wants `disk`. */
  readonly storage?: Storage;
  /** Further arguments of initdb, such as `--data-checksums`. */
  readonly initdbArgs?: readonly string[];
}

export interface Role {
  readonly name: string;
  readonly password?: string;
}

/** A running PostgreSQL in a temporary folder, on a free port of 127.0.0.1. */
export interface PostgresServer extends AsyncDisposable {
  readonly kind: ServerKind;
  readonly version: string;
  readonly major: number;
  readonly port: number;
  readonly binDir: string;
  /** The folder with `pg_dump` of the same version; the embedded server has none. */
  readonly clientDir: string | null;
  /** Where the socket is (`trust`, unlike TCP, which wants the password); null where the path would be too long. */
  readonly socketDir: string | null;
  readonly dataDir: string;
  /** The postmaster. */
  readonly pid: number;
  readonly superuserUrl: string;
  /** A URL over TCP, with the password where there is one; the superuser by default. */
  url(database: string, role?: Role): string;
  /** Makes a database (with `options` such as `TEMPLATE template0 ENCODING 'LATIN1'`) and returns its URL. */
  createDatabase(name: string, options?: string): Promise<string>;
  /** What the server wrote to its log. */
  log(): Promise<string>;
  /** Ends the postmaster with SIGKILL; `restart` brings it back. */
  crash(): Promise<void>;
  /** Ends it as `pg_ctl stop -m immediate` does, with all that it started; `restart` brings it back. */
  stopAtOnce(): Promise<void>;
  /** Stops (if it runs) and starts again on the same port and data. */
  restart(): Promise<void>;
  /** Ends it and removes its folder. Idempotent. */
  stop(): Promise<void>;
}

const superuser = 'postgres';
const startTimeoutMs = 20_000;
const run = promisify(execFile);

// Nothing here must survive a power cut, so nothing waits for the disk. synchronous_commit stays on: without fsync it
// costs a write to the page cache, and a committed row then survives `crash`.
const defaultSettings = {
  fsync: 'off',
  full_page_writes: 'off',
  max_wal_size: '256MB',
  listen_addresses: '127.0.0.1',
  logging_collector: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
} as const;

/** Makes and starts a server: about 0.5 s the first of a version, less the next. It ends with this process, however that ends. */
export async function startServer(options: ServerOptions): Promise<PostgresServer> {
  const account = serverAccount();
  const storage = needsUnpacking(options, account) ? 'disk' : (options.storage ?? 'auto');
  const folder = await makeScratch(account, storage);
  const watcher = watchServer(folder);
  try {
    const { binDir } = await findServer(options, folder, account);
    const version = await serverVersion(binDir);
    const password = await makeCluster(options, { binDir, folder, account, version });
    const server = new Server({ options, account, folder, watcher, binDir, password, version });
    await server.start();
    return server;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    watcher.release();
    throw error;
  }
}

interface Made {
  readonly options: ServerOptions;
  readonly account: Account;
  readonly folder: string;
  readonly watcher: Watcher;
  readonly binDir: string;
  readonly password: string;
  readonly version: string;
}

class Server implements PostgresServer {
  readonly #made: Made;
  #process: ChildProcess | undefined;
  #port = 0;
  #crashed = false;

  constructor(made: Made) {
    this.#made = made;
  }

  get kind(): ServerKind {
    return this.#made.options.kind;
  }
  get version(): string {
    return this.#made.version;
  }
  get major(): number {
    return Number.parseInt(this.#made.version, 10);
  }
  get port(): number {
    return this.#port;
  }
  get binDir(): string {
    return this.#made.binDir;
  }
  get clientDir(): string | null {
    return existsSync(join(this.binDir, 'pg_dump')) ? this.binDir : null;
  }
  get socketDir(): string | null {
    return socketDirIn(this.#made.folder);
  }
  get dataDir(): string {
    return join(this.#made.folder, 'data');
  }
  get pid(): number {
    return this.#process?.pid ?? 0;
  }
  get superuserUrl(): string {
    return this.url('postgres');
  }

  url(database: string, role: Role = { name: superuser, password: this.#made.password }): string {
    const secret = role.password === undefined ? '' : `:${encodeURIComponent(role.password)}`;
    const user = encodeURIComponent(role.name);
    return `postgresql://${user}${secret}@127.0.0.1:${this.#port}/${encodeURIComponent(database)}`;
  }

  async createDatabase(name: string, options = ''): Promise<string> {
    const { Client } = (await import('pg')).default;
    const client = new Client({ connectionString: this.superuserUrl });
    await client.connect();
    try {
      await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)} ${options}`);
    } finally {
      await client.end();
    }
    return this.url(name);
  }

  async log(): Promise<string> {
    const path = join(this.#made.folder, 'server.log');
    return existsSync(path) ? readFile(path, 'utf8') : '';
  }

  /** Starts the postmaster; on a fresh server a port that somebody took in between is replaced by another. */
  async start(): Promise<void> {
    const fresh = this.#port === 0;
    for (let attempt = 1; ; attempt += 1) {
      if (fresh) this.#port = await freePort();
      const logBytes = (await this.log()).length;
      try {
        return await this.#spawn();
      } catch (error) {
        const said = (await this.log()).slice(logBytes);
        // After a crash the old backends take a moment to notice; until then they hold the shared memory.
        const passing = said.includes('still in use') || (fresh && said.includes('could not bind'));
        if (!passing || attempt === 20) throw error;
        await systemSeams.clock.sleep(50);
      }
    }
  }

  async crash(): Promise<void> {
    await this.#end('SIGKILL');
    this.#crashed = true;
  }

  async stopAtOnce(): Promise<void> {
    await this.#end('SIGQUIT');
  }

  async restart(): Promise<void> {
    await this.#end('SIGINT');
    await this.start();
  }

  async stop(): Promise<void> {
    // Only another start frees the shared memory that a killed postmaster left. One that cannot start has none.
    if (this.#crashed) await this.start().catch(() => {});
    await this.#end('SIGINT');
    await rm(this.#made.folder, { recursive: true, force: true });
    this.#made.watcher.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #spawn(): Promise<void> {
    const { binDir, folder, account, watcher, options } = this.#made;
    const settings = { ...defaultSettings, ...options.settings, port: this.#port };
    const log = await open(join(folder, 'server.log'), 'a');
    const child = spawn(
      join(binDir, 'postgres'),
      [
        ...['-D', this.dataDir, '-c', `unix_socket_directories=${this.socketDir ?? ''}`],
        ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      {
        ...identity(account),
        cwd: folder,
        env: childEnvironment(folder),
        stdio: ['ignore', log.fd, log.fd],
        detached: true,
      },
    );
    await log.close();
    child.once('exit', () => watcher.watch(0));
    child.on('error', () => {}); // a program that cannot be started has no pid: told below
    if (child.pid === undefined) throw new Error(`Cannot start ${binDir}/postgres: it cannot be executed`);
    watcher.watch(child.pid);
    child.unref();
    this.#process = child;
    this.#crashed = false;
    await this.#ready(child);
  }

  /** The postmaster writes `ready` (a standby: `standby`) into the last line of its pid file: what pg_ctl waits for, too. */
  async #ready(child: ChildProcess): Promise<void> {
    const { clock } = systemSeams;
    const deadline = clock.monotonicMs() + startTimeoutMs;
    for (;;) {
      if (hasEnded(child)) throw new Error(`Cannot start PostgreSQL: it ended\n${await this.log()}`);
      const lines = await readFile(join(this.dataDir, 'postmaster.pid'), 'utf8').then(
        text => text.split('\n'),
        () => [], // not written yet
      );
      const state = lines[7]?.trim() ?? '';
      if (Number(lines[0]) === child.pid && ['ready', 'standby'].includes(state)) return;
      if (clock.monotonicMs() > deadline) {
        await this.#end('SIGKILL');
        throw new Error(`Cannot start PostgreSQL: not ready in ${startTimeoutMs} ms\n${await this.log()}`);
      }
      await clock.sleep(5);
    }
  }

  async #end(signal: 'SIGINT' | 'SIGQUIT' | 'SIGKILL'): Promise<void> {
    const child = this.#process;
    if (!child || hasEnded(child)) return;
    child.ref(); // else Node may end while it waits
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }
}

/** Returns the superuser's password. */
async function makeCluster(
  { kind, initdbArgs = [] }: ServerOptions,
  { version, ...place }: Pick<Made, 'binDir' | 'folder' | 'account' | 'version'>,
): Promise<string> {
  const { account, folder } = place;
  const password = Buffer.from(systemSeams.randomness.bytes(12)).toString('base64url');
  const make = () => initialise({ ...place, password, extra: initdbArgs });
  const data = join(folder, 'data');
  if (initdbArgs.length > 0) {
    await make();
    return password;
  }
  const filled = await fillCluster({ name: `${kind}-${version}`, data, password, make });
  if (account.foreign) await run('chown', ['-R', `${account.uid}:${account.gid}`, data]);
  return filled;
}

async function initialise(made: {
  readonly binDir: string;
  readonly folder: string;
  readonly account: Account;
  readonly password: string;
  readonly extra: readonly string[];
}): Promise<void> {
  const { binDir, folder, account, password, extra } = made;
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, `${password}\n`, { mode: 0o644 });
  await run(
    join(binDir, 'initdb'),
    [
      ...['-D', join(folder, 'data'), '-U', superuser, '--pwfile', passwordFile, '--no-sync'],
      ...['--auth-local=trust', '--auth-host=scram-sha-256', '-E', 'UTF8', '--locale=C', ...extra],
    ],
    { ...identity(account), cwd: folder, env: childEnvironment(folder) },
  );
  await rm(passwordFile);
}

function identity(account: Account): { uid?: number; gid?: number } {
  return account.foreign ? { uid: account.uid, gid: account.gid } : {};
}

/** A named TZ spares initdb its search through the zone files; nothing of ours (PG*, LC_*) may reach the server. */
function childEnvironment(folder: string): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: folder, TZ: 'UTC', LC_ALL: 'C' };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('Cannot find a free port');
  return address.port;
}
