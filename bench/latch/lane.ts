import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInstanceDatabase } from '../instance/index.ts';
import { type Running, startProgram } from '../rig/index.ts';
import type { PostgresServer } from '../servers/index.ts';
import { DatabaseProxy } from './database-proxy.ts';
import { guardFolder } from './guard.ts';
import { StandIn } from './stand-in.ts';

/** How long the application may be held where nothing else is told: short, since whoever is stopped is waited for. */
export const maxHoldMs = 4_000;

/** One application with all that a backup of it needs; several stand beside each other on one server. */
export interface Lane extends AsyncDisposable {
  readonly standIn: StandIn;
  /** Between the program and the database. */
  readonly proxy: DatabaseProxy;
  /** Begins a backup; with a phase, it stops there until it is told to go on. */
  backUp(env?: Readonly<Record<string, string>>): Running;
  run(args: readonly string[]): Promise<{ readonly code: number | null; readonly stderr: string }>;
  manifests(): readonly string[];
  /** What `latches` holds: whether a token is known, one each. */
  records(): readonly (string | null)[];
}

export async function openLane(
  server: PostgresServer,
  options: { readonly number: number; readonly writesPerSecond: number; readonly maxHoldMs?: number },
): Promise<Lane> {
  const { number, writesPerSecond } = options;
  const folder = mkdtempSync(join(tmpdir(), 'stillpoint-latch-'));
  const guard = guardFolder(folder);
  const home = join(folder, 'home');
  mkdirSync(home);
  const databaseUrl = await createInstanceDatabase(server, `lane${number}`);
  const size = ['--repositories', '3', '--files', '200', '--rows', '600'];
  const standIn = await StandIn.start(['--home', home, '--database', databaseUrl, '--no-log', ...size]);
  if (writesPerSecond > 0) await standIn.startWriter(writesPerSecond);
  const proxy = await DatabaseProxy.start(server.port);
  const env = configure(folder, { home, standIn, databaseUrl: proxy.url(databaseUrl), ...options });
  const start = (args: readonly string[], more: Readonly<Record<string, string>> = {}) =>
    startProgram(args, { cwd: folder, env: { ...env, ...more }, program: 'stopping' });
  const lane: Lane = {
    standIn,
    proxy,
    backUp: more => start(['backup', '--json'], more),
    run: args => start(args).ended,
    manifests: () => namesIn(join(folder, 'store', 'manifests')),
    records: () => recordsIn(join(folder, 'state', 'latches')),
    async [Symbol.asyncDispose]() {
      await standIn[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
      guard.release();
    },
  };
  for (const args of [['init'], ['backup']]) {
    const { code, stderr } = await lane.run(args);
    if (code !== 0) throw new Error(`stillpoint ${args[0]} ended with ${code}: ${stderr}`);
  }
  return lane;
}

/** Writes the configuration; returns the environment that leads to it. */
function configure(
  folder: string,
  made: {
    readonly home: string;
    readonly standIn: StandIn;
    readonly databaseUrl: string;
    readonly maxHoldMs?: number;
  },
): Record<string, string> {
  writeFileSync(join(folder, 'passphrase'), 'correct horse battery staple\n', { mode: 0o600 });
  const { home, standIn, databaseUrl } = made;
  const { user, password } = standIn.admin;
  const lines = [
    'instance: bitbucket',
    'store: store',
    'passphraseFile: passphrase',
    `home: { path: ${home} }`,
    `database: { url: ${JSON.stringify(databaseUrl)} }`,
    `app: { url: "${standIn.url}", user: ${user}, password: ${password} }`,
    `latch: { maxHold: ${(made.maxHoldMs ?? maxHoldMs) / 1000}s, drainTimeout: 3s }`,
  ];
  const file = join(folder, 'stillpoint.yaml');
  writeFileSync(file, `${lines.join('\n')}\n`);
  return {
    // So that the sentinel, which has no more of the environment, is known by it.
    PATH: `${process.env['PATH'] ?? ''}:${folder}`,
    STILLPOINT_CONFIG: file,
    STILLPOINT_STATE_DIR: join(folder, 'state'),
    STILLPOINT_CACHE_DIR: join(folder, 'cache'),
  };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return []; // nothing came to it yet
  }
}

function recordsIn(folder: string): (string | null)[] {
  return namesIn(folder)
    .filter(name => name.endsWith('.json'))
    .map(name => (JSON.parse(readFileSync(join(folder, name), 'utf8')) as { token: string | null }).token);
}
