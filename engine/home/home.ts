import assert from 'node:assert/strict';
import { realpathSync, statSync } from 'node:fs';
import { systemSeams } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import { type CaptureContext, captureTree } from './capture.ts';
import { compileExcludes } from './exclude.ts';
import { listTree, storeKept } from './finish.ts';
import { loadLibc } from './libc.ts';
import { type ClockWatch, watchClock } from './look.ts';
import { makePace } from './pace.ts';
import { type BytePath, bytePath, bytePathOfText, bytesOf, shown } from './paths.ts';
import { estimateTree, type LookContext, prescanTree } from './prescan.ts';
import { codeOf, type FileReader } from './read.ts';
import { makeReport, type Report } from './report.ts';
import { expandDataStores } from './roots.ts';
import { statCalls } from './stat.ts';
import { isSame } from './states.ts';
import { FileSystems, makeTree, type Tools, type Tree } from './tree.ts';
import type { Home, HomeEstimate, HomeOptions, HomeProgress, HomeResult, HomeRoot } from './types.ts';

/** Reads are at most so long, so that a large file does not hold up a timer. */
const readBytesMax = 1 << 20;
/** Live there is time; in the window the database's answers wait for us. */
const sliceMs = { live: 10, window: 2 };

/** Prepares to read a home. Touches nothing but the names of its roots. HOME_UNREADABLE. */
export async function openHome(options: HomeOptions): Promise<Home> {
  const roots = [bytePathOfText(options.root), ...(await expandDataStores(options.dataStores ?? []))];
  const { clock, randomness = systemSeams.randomness } = options;
  const loaded = options.libc ?? (await loadLibc());
  const tools: Tools = {
    stat: statCalls({ libc: loaded.libc, seam: options.statSeam }),
    libc: loaded.libc,
    clock,
    randomness,
    fileSystemSeam: options.fileSystemSeam,
    readsAgain: options.networkHome === 'reread',
  };
  const trees: Tree[] = [];
  for (const [place, configured] of roots.entries()) {
    const root = resolveRoot(configured);
    if (trees.some(tree => tree.root === root)) continue;
    const isExcluded = await compileExcludes({
      rules: [...(options.appExcludes ?? []), ...(options.exclude ?? [])],
      repositories: options.excludeRepositories ?? [],
      isHome: place === 0,
    });
    trees.push(makeTree(root, { isExcluded, fileSystems: new FileSystems(tools) }));
  }
  const report = makeReport();
  if (!loaded.libc)
    report.notes.add(`Extended attributes, holes and FIFOs are not handled here: ${loaded.reason}`);
  return new OpenHome(options, { trees, tools, report });
}

/** The folder behind the configured path, which may be a link. */
function resolveRoot(configured: BytePath): BytePath {
  try {
    const real = bytePath(realpathSync(bytesOf(configured), { encoding: 'buffer' }));
    if (statSync(bytesOf(real)).isDirectory()) return real;
  } catch (error) {
    throw engineError(
      'HOME_UNREADABLE',
      `Cannot read home ${shown(configured)}: ${codeOf(error) ?? 'unknown'}`,
      {
        remedy: 'Check home.path and home.dataStores, and that their volumes are mounted.',
        cause: error,
      },
    );
  }
  throw engineError('HOME_UNREADABLE', `Cannot read home ${shown(configured)}: it is not a folder`, {
    remedy: 'Set home.path to the application’s home directory.',
  });
}

class OpenHome implements Home {
  #options: HomeOptions;
  #trees: readonly Tree[];
  #tools: Tools;
  #report: Report;
  #watch: ClockWatch | undefined;
  #stage: 'open' | 'scanned' | 'captured' | 'finished' = 'open';
  #buffer: Buffer | undefined = Buffer.allocUnsafeSlow(readBytesMax);
  #changedInLatch = 0;

  constructor(options: HomeOptions, parts: { trees: readonly Tree[]; tools: Tools; report: Report }) {
    this.#options = options;
    this.#trees = parts.trees;
    this.#tools = parts.tools;
    this.#report = parts.report;
  }

  async prescan({
    signal,
    onProgress,
  }: {
    signal?: AbortSignal | undefined;
    onProgress?: ((progress: HomeProgress) => void) | undefined;
  } = {}) {
    assert(this.#stage === 'open', `Cannot pre-scan home: it is ${this.#stage}`);
    this.#stage = 'scanned';
    const done = { files: 0, bytes: 0 };
    let readMs = 0;
    const startedMs = this.#tools.clock.monotonicMs();
    const context = this.#context({ signal, sliceMs: sliceMs.live }, bytes => {
      done.files++;
      done.bytes += bytes;
    });
    const { pace } = context;
    const telling = {
      ...context,
      onRead: (ms: number) => {
        readMs += ms;
      },
      pace: {
        rest() {
          const resting = pace.rest();
          if (resting) onProgress?.({ ...done });
          return resting;
        },
      },
    };
    for (const tree of this.#trees) await prescanTree(tree, telling);
    onProgress?.({ ...done });
    const sum = (of: (tree: Tree) => number): number =>
      this.#trees.reduce((total, tree) => total + of(tree), 0);
    const folders = sum(tree => tree.first.folders);
    const walkMs = Math.max(0, this.#tools.clock.monotonicMs() - startedMs - readMs);
    return {
      files: sum(tree => tree.first.count) - folders,
      folders,
      bytes: done.bytes,
      read: done,
      walkMs,
    };
  }

  async estimate({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<HomeEstimate> {
    assert(this.#stage === 'open', `Cannot estimate home: it is ${this.#stage}`);
    this.#stage = 'finished';
    const context = this.#context({ signal, sliceMs: sliceMs.live }, () => {});
    const sum = { files: 0, folders: 0, bytes: 0, changed: 0, changedBytes: 0 };
    for (const tree of this.#trees) {
      const one = await estimateTree(tree, context);
      for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += one[name];
    }
    return sum;
  }

  async capture({ signal, budgetBytes }: { signal?: AbortSignal | undefined; budgetBytes: number }) {
    assert(this.#stage === 'scanned' || this.#stage === 'open', `Cannot capture home: it is ${this.#stage}`);
    this.#stage = 'captured';
    const budget = { left: budgetBytes };
    const context: CaptureContext = {
      ...this.#context({ signal, sliceMs: sliceMs.window }, () => {}),
      isSame: this.#options.isSame ?? isSame,
      budget,
    };
    for (const tree of this.#trees) {
      tree.fileSystems.checkClocks();
      this.#changedInLatch += await captureTree(tree, context);
    }
    signal?.throwIfAborted();
    return { changedInLatch: this.#changedInLatch, keptBytes: budgetBytes - budget.left };
  }

  async finish({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<HomeResult> {
    assert(this.#stage === 'captured', `Cannot finish home: it is ${this.#stage}`);
    this.#stage = 'finished';
    const { sink, cuts } = this.#options;
    const context = { sink, cuts, pace: this.#pace({ signal, sliceMs: sliceMs.live }) };
    const roots: HomeRoot[] = [];
    const sums = { files: 0, folders: 0, bytes: 0 };
    for (const tree of this.#trees) {
      await storeKept(tree, context);
      const { listing, files, folders, bytes } = await listTree(tree, context);
      roots.push({ path: bytesOf(tree.root), listing });
      sums.files += files;
      sums.folders += folders;
      sums.bytes += bytes;
    }
    const { excluded, sockets, gitLeftOvers, unreadable } = this.#report;
    return {
      roots,
      ...sums,
      changed: sums.files,
      changedInLatch: this.#changedInLatch,
      skipped: { excluded, sockets: sockets.size, gitLeftOvers: gitLeftOvers.size },
      unreadable,
      notes: notesOf(this.#report),
    };
  }

  /** Frees what is held. Nothing on disk is this home's. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stage = 'finished';
    this.#trees = [];
    this.#buffer = undefined;
  }

  #pace(options: { signal?: AbortSignal | undefined; sliceMs: number }) {
    return makePace({ clock: this.#options.clock, ...options });
  }

  #context(
    options: { signal?: AbortSignal | undefined; sliceMs: number },
    onTaken: (bytes: number) => void,
  ): LookContext {
    const { sink, cuts, clock, readSeam } = this.#options;
    assert(this.#buffer, 'Cannot read home: it is closed');
    const pace = this.#pace(options);
    const reader: FileReader = {
      stat: this.#tools.stat,
      libc: this.#tools.libc,
      buffer: this.#buffer,
      seam: readSeam,
      onXattrUnreadable: (path, name) =>
        this.#report.notes.add(`Attribute ${shown(name)} of ${shown(path)} cannot be read`),
      rest: () => pace.rest(),
    };
    this.#watch ??= watchClock(clock);
    return {
      tools: this.#tools,
      reader,
      sink,
      cuts,
      pace,
      watch: this.#watch,
      report: this.#report,
      onTaken,
    };
  }
}

const namedMax = 10;

function notesOf({ notes, vanishedLive, sockets, gitLeftOvers }: Report): string[] {
  const all = [...notes];
  if (vanishedLive > 0) all.push(`${vanishedLive} files vanished while the application ran`);
  if (sockets.size > 0) all.push(`${sockets.size} sockets were skipped: ${someOf(sockets)}`);
  if (gitLeftOvers.size > 0)
    all.push(`${gitLeftOvers.size} files that Git left behind were skipped: ${someOf(gitLeftOvers)}`);
  return all;
}

function someOf(paths: ReadonlySet<BytePath>): string {
  const some = [...paths].slice(0, namedMax).map(shown).join(', ');
  return paths.size > namedMax ? `${some} …` : some;
}
