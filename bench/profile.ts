import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { placeFor } from './compare/place.ts';
import { stillpoint } from './peers/stillpoint.ts';
import { environment, writeResults } from './results.ts';
import { folderBytes } from './rows/dump.ts';
import { makePacks } from './workloads/packs.ts';
import { makeSmallFiles, medianBytesAll } from './workloads/small-files.ts';

/**
 * Where the time goes: first backup, unchanged backup and restore of the workloads of files, each under Node's profiler,
 * a profile for each thread. Prints what took most, by itself, and writes `bench/results/profile-WORKLOAD.json`.
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

const makers = {
  'small-files': async (source: string) =>
    void makeSmallFiles(source, { files: 100_000, seed: 1, medianBytes: medianBytesAll }),
  packs: (source: string) => makePacks(source, { bytes: 1_000_000_000, seed: 1 }),
} as const;

const env = environment();
for (const [workload, make] of Object.entries(makers)) {
  const folder = mkdtempSync(join(tmpdir(), 'stillpoint-profile-'));
  let target: string | undefined;
  try {
    const [source, profiles] = [join(folder, 'home'), join(folder, 'profiles')];
    mkdirSync(profiles);
    await make(source);
    target = placeFor(folder, 2 * folderBytes(source));
    const restored = target;
    const store = await stillpoint({ nodeArgs: ['--cpu-prof', `--cpu-prof-dir=${profiles}`] }).open(folder);
    const profiled = async (work: () => Promise<unknown>): Promise<Thread[]> => {
      for (const name of readdirSync(profiles)) rmSync(join(profiles, name));
      await work();
      return readdirSync(profiles)
        .map(name => summaryOf(JSON.parse(readFileSync(join(profiles, name), 'utf8')) as Profile))
        .sort((a, b) => b.busyMs - a.busyMs);
    };
    const steps = {
      'first backup': await profiled(() => store.backUp(source)),
      'unchanged backup': await profiled(() => store.backUp(source)),
      restore: await profiled(() => store.restore(restored)),
    };
    for (const [step, threads] of Object.entries(steps)) say(`${workload}, ${step}`, threads);
    console.log(writeResults(`profile-${workload}`, { environment: env, steps }));
  } finally {
    for (const made of [target, folder]) if (made) rmSync(made, { recursive: true, force: true });
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
