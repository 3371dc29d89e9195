import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createStore, type Kdf, openLocalBackend, systemSeams } from '../../store/index.ts';
import {
  createInstance,
  createInstanceDatabase,
  type Instance,
  type InstanceOptions,
} from '../instance/index.ts';
import { type PostgresServer, type ServerKind, startServer } from '../servers/index.ts';
import { type Ended, type Running, runHere, type StartOptions, startProgram } from './program.ts';

export interface RigOptions extends Omit<InstanceOptions, 'databaseUrl' | 'home'> {
  readonly server: ServerKind;
  /** More lines of the configuration, as YAML. */
  readonly configuration?: string;
  /** How the passphrase becomes a key; as `init` does it by default. A test saves 0.1 s with a cheap one, at each run of the program. */
  readonly kdf?: Kdf;
  /**
   * Whether `program` and `summary` run the program in this process, as `runHere` does, unless they are told which one:
   * for what it answers and leaves, not for how it lives and dies. `start` makes a process in any case.
   */
  readonly inProcess?: boolean;
}

/** A database server, the stand-in application, a store, and the program set up to back them up. */
export interface Rig extends AsyncDisposable {
  /** Everything lies below; removed at the end. */
  readonly folder: string;
  readonly store: string;
  readonly configFile: string;
  readonly stateDir: string;
  /** What the program needs to know of the rig. */
  readonly env: Readonly<Record<string, string>>;
  readonly server: PostgresServer;
  readonly instance: Instance;
  /** Runs the program against the rig. */
  program(args: readonly string[], options?: Partial<StartOptions>): Promise<Ended>;
  /** As `program`, while it is under way. */
  start(args: readonly string[], options?: Partial<StartOptions>): Running;
  /** As `program`, but fails unless it ends with 0; the summary, the last JSON line. */
  summary(args: readonly string[], options?: Partial<StartOptions>): Promise<Record<string, unknown>>;
  /** Destroys the application's database. */
  dropDatabase(): Promise<void>;
  /** A fresh place to restore into. */
  target(name: string): RestoreTarget;
}

export interface RestoreTarget {
  readonly home: string;
  /** Without a password, for the command line. */
  readonly databaseArgument: string;
  /** With it, for checks. */
  readonly databaseUrl: string;
}

const unlockMsMax = 2_000;
const passphrase = 'correct horse battery staple';

/** Makes a rig in a temporary folder, with an initialised store. */
export async function startRig(options: RigOptions): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), 'stillpoint-rig-'));
  const stop: (() => Promise<void>)[] = [async () => rmSync(folder, { recursive: true, force: true })];
  const dispose = async () => {
    for (const step of stop.splice(0).reverse()) await step();
  };
  try {
    const server = await startServer({ kind: options.server });
    stop.push(() => server.stop());
    const home = join(folder, 'home');
    mkdirSync(home);
    const databaseUrl = await createInstanceDatabase(server);
    const instance = await createInstance({ ...options, home, databaseUrl });
    stop.push(() => instance.stop());
    const running = new Set<Running>();
    stop.push(() => endAll(running, instance));
    const configuration = options.configuration ?? '';
    const inProcess = options.inProcess ?? false;
    const rig = assemble({ folder, server, instance, running, dispose, configuration, inProcess });
    await makeStore(rig, options.kdf);
    return rig;
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function makeStore({ store }: Rig, kdf: Kdf | undefined): Promise<void> {
  const backend = await openLocalBackend(store, { create: true });
  await using _ = await createStore(backend, { passphrase, seams: systemSeams, ...(kdf && { kdf }) });
}

/** Ends what a failed test left running, and lets its sentinel unlock while there is something to unlock. */
async function endAll(running: ReadonlySet<Running>, instance: Instance): Promise<void> {
  const left = [...running];
  for (const program of left) program.kill('SIGKILL');
  for (const program of left) await program.ended;
  const endMs = performance.now() + unlockMsMax;
  while (left.length > 0 && instance.isLocked && performance.now() < endMs)
    await new Promise(resolve => setTimeout(resolve, 10));
}

interface Parts {
  readonly folder: string;
  readonly server: PostgresServer;
  readonly instance: Instance;
  readonly running: Set<Running>;
  readonly dispose: () => Promise<void>;
  readonly configuration: string;
  readonly inProcess: boolean;
}

function assemble(parts: Parts): Rig {
  const { folder, server, instance, running, dispose, configuration, inProcess } = parts;
  const store = join(folder, 'store');
  const stateDir = join(folder, 'state');
  const configFile = join(folder, 'stillpoint.yaml');
  const superuser = new URL(server.superuserUrl);
  writeFileSync(join(folder, 'passphrase'), `${passphrase}\n`, { mode: 0o600 });
  writeFileSync(
    configFile,
    [
      'instance: bitbucket',
      `store: ${store}`,
      'passphraseFile: passphrase',
      `home: { path: ${instance.home} }`,
      `database: { url: ${JSON.stringify(instance.databaseUrl)} }`,
      `app: { url: "${instance.url}", user: ${instance.admin.user}, password: ${instance.admin.password} }`,
      configuration,
    ].join('\n'),
  );
  const env = {
    STILLPOINT_CONFIG: configFile,
    STILLPOINT_STATE_DIR: stateDir,
    STILLPOINT_CACHE_DIR: join(folder, 'cache'),
    PGPASSWORD: decodeURIComponent(superuser.password),
  };
  const start: Rig['start'] = (args, extra) => {
    const program = startProgram(args, { cwd: folder, ...extra, env: { ...env, ...extra?.env } });
    running.add(program);
    const hasEnded = () => void running.delete(program);
    program.ended.then(hasEnded, hasEnded);
    return program;
  };
  const program: Rig['program'] = (args, extra = {}) => {
    const isItself = !(extra.program || extra.file || extra.under);
    if (!(inProcess && isItself)) return start(args, extra).ended;
    const whole = { ...env, ...extra.env };
    process.env['PGPASSWORD'] = whole.PGPASSWORD; // the client library looks nowhere else
    return runHere(args, { cwd: folder, ...extra, env: whole });
  };
  return {
    folder,
    store,
    configFile,
    stateDir,
    env,
    server,
    instance,
    program,
    start,
    async summary(args, extra) {
      const ended = await program(args, extra);
      if (ended.code === 0) return ended.json.at(-1) ?? {};
      throw new Error(
        `stillpoint ${args.join(' ')} ended with ${ended.code}: ${ended.stderr || ended.stdout}`,
      );
    },
    async dropDatabase() {
      const { Client } = (await import('pg')).default;
      const client = new Client({ connectionString: server.superuserUrl });
      await client.connect();
      try {
        await client.query('DROP DATABASE bitbucket WITH (FORCE)');
      } finally {
        await client.end();
      }
    },
    target(name) {
      const databaseUrl = server.url(name);
      const argument = new URL(databaseUrl);
      argument.password = '';
      return { home: join(folder, 'restored', name), databaseArgument: argument.toString(), databaseUrl };
    },
    [Symbol.asyncDispose]: dispose,
  };
}
