import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Ended, type Running, runHere, startProgram } from '../../bench/rig/index.ts';
import { beginPrune, createStore, openLocalBackend, systemClock, verifyStore } from '../../store/index.ts';
import { collect } from '../helpers/collect.ts';
import { assertEqualHomes } from '../helpers/home-equal.ts';
import { cheapKdf, reopenStore, testPassphrase } from '../helpers/stores.ts';
import { isExpected } from './judge.ts';
import { filesBelow, quickFolder, told } from './suite.ts';
import { fastRandomness } from './world.ts';

/** A home without a database or an application, and the program set up to back it up, in a folder that is made anew for each run. */
export interface ProcessRig extends Disposable {
  readonly folder: string;
  /** Puts everything back to how it was. */
  reset(): void;
  start(args: readonly string[], under?: readonly string[]): Running;
  /** In this process, which is faster. */
  here(args: readonly string[]): Promise<Ended>;
  /** What is wrong with store and home after a run that ended somehow, or undefined. */
  wrong(options?: WrongOptions): Promise<string | undefined>;
  /** Ids of snapshots, by the store itself. */
  snapshots(): Promise<readonly string[]>;
}

interface WrongOptions {
  /** Restores the next backup, and compares it with the home. */
  readonly restores?: boolean;
  /** Snapshots that must be there; default: the newest from before the run. */
  readonly needs?: readonly string[];
}

const env = (folder: string) => ({
  STILLPOINT_CONFIG: join(folder, 'stillpoint.yaml'),
  STILLPOINT_STATE_DIR: join(folder, 'state'),
  STILLPOINT_CACHE_DIR: join(folder, 'cache'),
  UV_THREADPOOL_SIZE: '1',
  UV_USE_IO_URING: '0',
});

export async function startProcessRig(seed: number): Promise<ProcessRig> {
  const base = mkdtempSync(join(quickFolder, 'stillpoint-processes-'));
  const [template, folder] = [join(base, 'template'), join(base, 'run')];
  mkdirSync(folder);
  writeFileSync(join(folder, 'passphrase'), `${testPassphrase}\n`, { mode: 0o600 });
  writeFileSync(
    join(folder, 'stillpoint.yaml'),
    [
      'instance: small',
      `store: ${join(folder, 'store')}`,
      'passphraseFile: passphrase',
      `home: { path: ${join(folder, 'home')} }`,
      'database: { type: none }',
      'app: { type: none }',
      'retention: { keepLast: 1 }',
    ].join('\n'),
  );
  const here: ProcessRig['here'] = args => runHere(args, { env: env(folder), cwd: folder });
  const backend = await openLocalBackend(join(folder, 'store'), { create: true });
  await createStore(backend, {
    passphrase: testPassphrase,
    kdf: cheapKdf,
    seams: { clock: systemClock, randomness: fastRandomness(`processes ${seed}`) },
  });
  // The room that is set aside would be copied for every point.
  for (const name of readdirSync(join(folder, 'store')))
    if (name.startsWith('.tmp-')) rmSync(join(folder, 'store', name));
  let newest = '';
  for (const [round, change] of [makeHome, changeHome].entries()) {
    change(join(folder, 'home'), seed);
    const { code, stderr, json } = await here(['backup', '--json']);
    assert.equal(code, 0, `backup ${round}: ${stderr}`);
    newest = String(json.at(-1)?.['snapshot']);
  }
  writeFileSync(join(folder, 'home', 'new'), fastRandomness(`new ${seed}`).bytes(3000));
  for (const name of readdirSync(join(folder, 'store')))
    if (name.startsWith('.tmp-')) rmSync(join(folder, 'store', name));
  cpSync(folder, template, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  return {
    folder,
    here,
    reset() {
      rmSync(folder, { recursive: true, force: true });
      cpSync(template, folder, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
    },
    start: (args, under = []) => startProgram(args, { cwd: folder, env: env(folder), under }),
    wrong: options => wrongWithRig({ folder, here, newest }, options),
    async snapshots() {
      const store = await reopenStore(await openLocalBackend(join(folder, 'store')));
      return (await collect(store.snapshots())).map(({ id }) => id);
    },
    [Symbol.dispose]: () => rmSync(base, { recursive: true, force: true }),
  };
}

function makeHome(home: string, seed: number): void {
  mkdirSync(join(home, 'a/b'), { recursive: true });
  const { bytes } = fastRandomness(`home ${seed}`);
  writeFileSync(join(home, 'a/one'), bytes(70_000));
  writeFileSync(join(home, 'a/b/two'), bytes(100));
  writeFileSync(join(home, 'three'), 'three\n');
  chmodSync(join(home, 'three'), 0o640);
  linkSync(join(home, 'three'), join(home, 'a/three'));
  symlinkSync('a/one', join(home, 'link'));
}

function changeHome(home: string, seed: number): void {
  writeFileSync(join(home, 'a/one'), fastRandomness(`changed ${seed}`).bytes(71_000));
  rmSync(join(home, 'a/b/two'));
}

interface Parts {
  readonly folder: string;
  readonly here: ProcessRig['here'];
  /** The snapshot that no policy lets go. */
  readonly newest: string;
}

/** The same promises as of a store in memory, kept by the program. */
async function wrongWithRig(
  { folder, here, newest }: Parts,
  { restores = true, needs = [newest] }: WrongOptions = {},
): Promise<string | undefined> {
  const path = join(folder, 'store');
  try {
    const before = await verifyAll(path);
    if (typeof before === 'string') return before;
    for (const id of needs) if (!before.includes(id)) return `snapshot ${id} is gone`;
    const next = await here(['backup', '--json']);
    if (next.code !== 0) return `the next backup ended with ${next.code}: ${next.stderr}`;
    const later = { ...systemClock, nowMs: () => Date.now() + 90_000_000 };
    {
      const backend = await openLocalBackend(path);
      const store = await reopenStore(backend, {
        clock: later,
        randomness: fastRandomness(String(Date.now())),
      });
      await using session = await beginPrune(store, { host: 'next', silenceMs: 0 });
      await session.reclaim();
    }
    const after = await verifyAll(path);
    if (typeof after === 'string') return `after the next prune ${after}`;
    for (const id of before) if (!after.includes(id)) return `the next prune took snapshot ${id}`;
    const foreign = filesBelow(path).filter(file => !isExpected(file));
    if (foreign.length > 0) return `after the next prune ${foreign.join(', ')} is left`;
    return restores ? await wrongRestore(folder, here) : undefined;
  } catch (error) {
    return told(error);
  }
}

async function wrongRestore(folder: string, here: ProcessRig['here']): Promise<string | undefined> {
  const target = join(folder, 'checked');
  const { code, stderr } = await here(['restore', 'latest', '--only', 'home', '--home', target, '--json']);
  if (code !== 0) return `a restore ended with ${code}: ${stderr}`;
  return wrongHome(folder, target);
}

/** How a restored home differs from the live one. */
export async function wrongHome(folder: string, target: string): Promise<string | undefined> {
  if (!existsSync(target)) return 'nothing is restored';
  return assertEqualHomes(join(folder, 'home'), target, { rootTimes: false }).then(
    () => undefined,
    (error: unknown) =>
      `the restored home differs: ${error instanceof Error ? error.message : String(error)}`,
  );
}

/** Ids of manifests, or what is wrong. */
async function verifyAll(path: string): Promise<readonly string[] | string> {
  const store = await reopenStore(await openLocalBackend(path));
  const { damage, snapshots } = await verifyStore(store, { readData: 1 });
  return damage.length > 0 ? `verify finds ${JSON.stringify(damage)}` : snapshots.map(({ id }) => id);
}
