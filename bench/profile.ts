import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { placeFor } from './compare/place.ts';
import { stillpoint } from './peers/stillpoint.ts';
import { environment, writeResults } from './results.ts';
import { folderBytes } from './rows/dump.ts';
import { makeTable, place, startDatabaseServer } from './workloads/database.ts';
import { makePacks } from './workloads/packs.ts';
import { programOn } from './workloads/program-on.ts';
import { makeSmallFiles, medianBytesAll } from './workloads/small-files.ts';

/**
 * Where the time goes: first backup, unchanged backup and restore of each workload (or of those that are named), under Node's
 * profiler, a profile for each thread. Prints what took most, by itself, and writes `bench/results/profile-WORKLOAD.json`.
 */
const shownMax = 15;
const shareMin = 0.01;

interface Profile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

interface Thread {
  readonly busyMs: number;
  readonly idleMs: number;
  /** Self times, the longest first. */
  readonly most: readonly { readonly what: string; readonly ms: number; readonly share: number }[];
}

/** A step, and what is profiled of it. */
type Steps = Readonly<Record<string, () => Promise<unknown>>>;

interface Prepared extends AsyncDisposable {
  readonly steps: Steps;
}

/** What makes the program write profiles. */
type NodeArgs = readonly string[];

const workloads: Readonly<Record<string, (folder: string, nodeArgs: NodeArgs) => Promise<Prepared>>> = {
  'small-files': ofFiles(
    async source => void makeSmallFiles(source, { files: 100_000, seed: 1, medianBytes: medianBytesAll }),
  ),
  packs: ofFiles(source => makePacks(source, { bytes: 1_000_000_000, seed: 1 })),
  async database(folder, nodeArgs) {
    const server = await startDatabaseServer();
    const url = await makeTable(server, 2_500_000);
    const program = programOn({ server, url, scratch: folder }, nodeArgs);
    await program('init');
    const target = place(server, 'ours');
    return {
      steps: {
        'first copy': () => program('backup'),
        unchanged: () => program('backup'),
        restore: () => program('restore', 'latest', '--only', 'database', '--database', target),
      },
      [Symbol.asyncDispose]: () => server.stop(),
    };
  },
};

function ofFiles(make: (source: string) => Promise<unknown>) {
  return async (folder: string, nodeArgs: NodeArgs): Promise<Prepared> => {
    const source = join(folder, 'home');
    await make(source);
    const target = placeFor(folder, 2 * folderBytes(source));
    const store = await stillpoint({ nodeArgs }).open(folder);
    return {
      steps: {
        'first backup': () => store.backUp(source),
        'unchanged backup': () => store.backUp(source),
        restore: () => store.restore(target),
      },
      [Symbol.asyncDispose]: async () => rmSync(target, { recursive: true, force: true }),
    };
  };
}

const env = environment();
const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(workloads);
for (const workload of names) {
  const prepare = workloads[workload];
  if (!prepare)
    throw new TypeError(`No such workload: ${workload}. There are ${Object.keys(workloads).join(', ')}`);
  const folder = mkdtempSync(join(tmpdir(), 'stillpoint-profile-'));
  try {
    const profiles = join(folder, 'profiles');
    mkdirSync(profiles);
    await using prepared = await prepare(folder, ['--cpu-prof', `--cpu-prof-dir=${profiles}`]);
    const found: Record<string, Thread[]> = {};
    for (const [step, work] of Object.entries(prepared.steps)) {
      for (const name of readdirSync(profiles)) rmSync(join(profiles, name));
      await work();
      found[step] = readdirSync(profiles)
        .map(name => summaryOf(JSON.parse(readFileSync(join(profiles, name), 'utf8')) as Profile))
        .sort((a, b) => b.busyMs - a.busyMs);
      say(`${workload}, ${step}`, found[step]);
    }
    console.log(writeResults(`profile-${workload}`, { environment: env, steps: found }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function summaryOf({ nodes, samples, timeDeltas }: Profile): Thread {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const selfMs = new Map<string, number>();
  for (const [i, sample] of samples.entries()) {
    const what = frames.get(sample) ?? '';
    selfMs.set(what, (selfMs.get(what) ?? 0) + timeDeltas[i]! / 1000);
  }
  const idleMs = selfMs.get('(idle)') ?? 0;
  selfMs.delete('(idle)');
  const busyMs = [...selfMs.values()].reduce((sum, ms) => sum + ms, 0);
  const most = [...selfMs]
    .sort(([, a], [, b]) => b - a)
    .slice(0, shownMax)
    .map(([what, ms]) => ({ what, ms: Math.round(ms), share: Number((ms / busyMs).toFixed(3)) }))
    .filter(({ share }) => share >= shareMin);
  return { busyMs: Math.round(busyMs), idleMs: Math.round(idleMs), most };
}

function nameOf({ functionName, url, lineNumber }: CallFrame): string {
  const file = url.split('/').slice(-2).join('/');
  const name = functionName || 'anonymous';
  return file === '' ? name : `${name} ${file}:${lineNumber + 1}`;
}

function say(title: string, threads: readonly Thread[]): void {
  for (const [i, { busyMs, idleMs, most }] of threads.entries()) {
    console.log(`${title}, thread ${i + 1}: busy ${busyMs} ms, idle ${idleMs} ms`);
    for (const { what, ms, share } of most)
      console.log(`  ${String(ms).padStart(6)} ms ${(100 * share).toFixed(1).padStart(5)} %  ${what}`);
  }
}
