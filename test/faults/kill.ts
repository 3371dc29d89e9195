import { linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type FileSystem, nodeFileSystem, type OpenFile } from '../../store/file-system.ts';
import { type Backend, openLocalBackend } from '../../store/index.ts';
import { endingOf, wrongWith } from './judge.ts';
import { processKills } from './kill-processes.ts';
import {
  filesBelow,
  quickFolder,
  type Suite,
  type SuiteOptions,
  seedsOf,
  shareOf,
  shuffled,
  withProcesses,
} from './suite.ts';
import { Tally } from './tally.ts';
import { fastRandomness, type Job, jobsFor, makeWorld, onBackend, type World, worldSeams } from './world.ts';

const figure = {
  name: 'kill −9 at a mutating call (backup, prune, forget, repair, restore)',
  ci: 8,
  release: 'every point',
};

export const killSuite: Suite = {
  name: 'kill',
  about: 'death at every call that changes something: in this process over a real folder, and as processes',
  figures: [figure],
  async run(options) {
    const tally = new Tally(figure.name);
    const here = options.isShort ? options : shareOf(options, { points: 0.9, time: 0.6 });
    for (const seed of seedsOf(tally, here)) await killsOf(seed, { tally, options: here });
    await withProcesses(tally, options, processKills);
    return [tally];
  },
};

/** Kills each job of one world before each change that it makes, and in the middle of each write. */
async function killsOf(
  seed: number,
  { tally, options }: { readonly tally: Tally; readonly options: SuiteOptions },
): Promise<void> {
  const folder = mkdtempSync(join(quickFolder, 'stillpoint-kill-'));
  try {
    const origin = join(folder, 'origin');
    const world = await makeWorld(await openAt(origin, nodeFileSystem), seed);
    const points = [];
    for (const job of jobsFor(options, seed)) {
      const copy = join(folder, 'whole');
      linkTree(origin, copy, job.lost);
      const changes = await runUntil(job, world, { path: copy, change: Number.POSITIVE_INFINITY });
      for (let change = 1; change <= changes.count; change++) points.push({ job, change });
      rmSync(copy, { recursive: true });
    }
    for (const { job, change } of shuffled(points, seed)) {
      if (tally.isOver(options)) return;
      const path = join(folder, 'copy');
      linkTree(origin, path, job.lost);
      const { died = 'nowhere' } = await runUntil(job, world, { path, change });
      const problem = await wrongWith(await openAt(path, withoutReserve(nodeFileSystem)), world, {
        ending: { how: 'dead' },
        forgets: job.name.startsWith('forget'),
        paths: () => filesBelow(path),
        anew: change % 16 === 0,
        mends: job.lost !== undefined,
      });
      tally.add(
        job.name,
        problem && `seed ${seed}, ${job.name}, before change ${change}, ${died}: ${problem}`,
      );
      rmSync(path, { recursive: true });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs a job whose process dies before its nth change: what that would have been, and how many there were. */
async function runUntil(
  job: Job,
  world: World,
  { path, change }: { readonly path: string; readonly change: number },
): Promise<{ readonly died?: string; readonly count: number }> {
  const life = new Life(change);
  const backend = await openAt(path, life.over(withoutReserve(nodeFileSystem)));
  const run = endingOf(job.run(onBackend(world.opened, backend, worldSeams(`${job.name} ${change}`)), world));
  const first = await Promise.race([life.death, run]);
  if (typeof first === 'string') {
    await life.bury();
    return { died: first, count: change };
  }
  if (first.how === 'failed') throw first.error;
  return { count: life.changes };
}

let opened = 0;

function openAt(path: string, fileSystem: FileSystem): Promise<Backend> {
  opened += 1; // one name is never used for two temporary files, as in life
  return openLocalBackend(path, { create: true, fileSystem, randomness: fastRandomness(`${opened}`) });
}

/** No room that is set aside: megabytes of writing, a thousand times. */
export function withoutReserve(inner: FileSystem): FileSystem {
  return {
    ...inner,
    create(path, mode) {
      if (path.includes('.tmp-reserve-')) throw Object.assign(new Error('no room'), { code: 'ENOSPC' });
      return inner.create(path, mode);
    },
  };
}

/** A process that dies before its nth change: nothing that it asks for later is done, or answered. */
class Life {
  readonly death: Promise<string>;
  readonly #change: number;
  readonly #files = new Set<OpenFile>();
  readonly #never = new Promise<never>(() => undefined);
  #die: (what: string) => void = () => undefined;
  #changes = 0;

  constructor(change: number) {
    this.#change = change;
    this.death = new Promise(resolve => {
      this.#die = resolve;
    });
  }

  get changes(): number {
    return this.#changes;
  }

  /** What the kernel does. */
  async bury(): Promise<void> {
    for (const file of this.#files) await file.close().catch(() => undefined);
  }

  over(inner: FileSystem): FileSystem {
    const before =
      <A extends readonly unknown[], T>(name: string, call: (...args: A) => Promise<T>) =>
      async (...args: A): Promise<T> => {
        await this.#changing(`${name} ${args.join(' ')}`);
        return call(...args);
      };
    return {
      ...inner,
      create: async (path, mode) => {
        await this.#changing(`create ${path}`);
        return this.#file(await inner.create(path, mode), path);
      },
      open: async path => {
        await this.#lives();
        return this.#file(await inner.open(path), path);
      },
      link: before('link', inner.link),
      rename: before('rename', inner.rename),
      unlink: before('unlink', inner.unlink),
      makeFolder: before('mkdir', inner.makeFolder),
      syncFolder: before('sync', inner.syncFolder),
    };
  }

  #file(opened: OpenFile, path: string): OpenFile {
    this.#files.add(opened);
    return {
      ...opened,
      write: async (bytes, position) => {
        const half = bytes.subarray(0, bytes.length >> 1);
        await this.#changing(`write ${path}`, () => opened.write(half, position));
        return opened.write(bytes, position);
      },
      sync: async () => {
        await this.#changing(`sync ${path}`);
        await opened.sync();
      },
      close: async () => {
        this.#files.delete(opened);
        await opened.close();
      },
    };
  }

  async #lives(): Promise<void> {
    if (this.#changes >= this.#change) await this.#never;
  }

  async #changing(what: string, last?: () => Promise<unknown>): Promise<void> {
    await this.#lives();
    this.#changes += 1;
    if (this.#changes < this.#change) return;
    await last?.();
    this.#die(what);
    await this.#never;
  }
}

/** Nothing in a store is changed in place, so names are enough of a copy; but for what is lost. */
function linkTree(from: string, to: string, lost?: RegExp): void {
  mkdirSync(to);
  for (const path of foldersBelow(from)) mkdirSync(join(to, path));
  for (const path of filesBelow(from)) if (!lost?.test(path)) linkSync(join(from, path), join(to, path));
}

/** Before what is in them. */
function foldersBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(entry => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}
