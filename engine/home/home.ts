import assert from 'node:assert/strict';
import {
  type CaptureContext,
  captureTree,
  checkShrunk,
  estimateTree,
  type LookContext,
  listTree,
  makeReport,
  makeTree,
  notesOf,
  Pins,
  prescanTree,
  type Report,
  type RootPlan,
  steadyRows,
  storeKept,
  type Tree,
} from './capture/index.ts';
import type { HomeRoot } from './entries/entry.ts';
import { makePace } from './pace.ts';
import { bytesOf, shown } from './paths.ts';
import { planRoots } from './plan.ts';
import { type HomeBase, isSame, loadBase } from './rows/index.ts';
import { type Askers, startAskers } from './steady/index.ts';
import { loadLibc } from './system/libc.ts';
import type { FileReader } from './system/read.ts';
import { statCalls } from './system/stat.ts';
import type { Home, HomeEstimate, HomeOptions, HomeProgress, HomeResult, HomeScan } from './types.ts';
import { type ClockWatch, type Tools, watchClock } from './walk/index.ts';

/** Reads are at most so long, so that a large file does not hold up a timer. */
const readBytesMax = 1 << 20;
/** So many that every thread gets some and knows the way. */
const rowsToWarmUp = 8_192;
/** Live there is time; in the window the database's answers wait for us. */
const sliceMs = { live: 10, window: 2 };

/** Prepares to read a home. Touches nothing but the names of its roots. HOME_UNREADABLE. */
export async function openHome(options: HomeOptions): Promise<Home> {
  const plans = await planRoots(options);
  const loaded = options.libc ?? (await loadLibc());
  const tools: Tools = {
    stat: statCalls({ libc: loaded.libc, seam: options.statSeam }),
    libc: loaded.libc,
    clock: options.clock,
    fileSystemSeam: options.fileSystemSeam,
    fileSystemName: options.fileSystem,
    readsAgain: options.networkHome === 'reread',
    takenMs: options.view?.takenMs,
  };
  const report = makeReport();
  if (!loaded.libc)
    report.notes.add(`Extended attributes, holes and FIFOs are not handled here: ${loaded.reason}`);
  return new OpenHome(options, { plans, tools, report });
}

class OpenHome implements Home {
  #options: HomeOptions;
  #plans: readonly RootPlan[];
  #trees: readonly Tree[] = [];
  #tools: Tools;
  readonly #pins: Pins;
  #report: Report;
  #askers: Askers | undefined;
  #watch: ClockWatch | undefined;
  #stage: 'open' | 'scanned' | 'captured' | 'finished' = 'open';
  #buffer: Buffer | undefined = Buffer.allocUnsafeSlow(readBytesMax);
  /** Files whose content was read. */
  #read = 0;
  #changedInLatch = 0;

  constructor(options: HomeOptions, parts: { plans: readonly RootPlan[]; tools: Tools; report: Report }) {
    this.#options = options;
    this.#plans = parts.plans;
    this.#tools = parts.tools;
    this.#pins = new Pins(parts.tools.stat);
    this.#report = parts.report;
  }

  async prescan({
    signal,
    onProgress,
  }: {
    signal?: AbortSignal | undefined;
    onProgress?: ((progress: HomeProgress) => void) | undefined;
  } = {}): Promise<HomeScan> {
    assert(this.#stage === 'open', `Cannot pre-scan home: it is ${this.#stage}`);
    this.#stage = 'scanned';
    const { clock } = this.#tools;
    await this.#plant({ base: this.#options.base, signal });
    const read = { files: 0, bytes: 0 };
    let readMs = 0;
    const startedMs = clock.monotonicMs();
    const context = this.#context({ signal, sliceMs: sliceMs.live }, bytes => {
      read.files++;
      read.bytes += bytes;
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
          if (resting) onProgress?.({ ...read });
          return resting;
        },
      },
    };
    const sums = { files: 0, folders: 0, bytes: 0 };
    for (const tree of this.#trees) {
      await prescanTree(tree, telling);
      const shrunk = checkShrunk(tree);
      if (shrunk !== undefined) this.#report.notes.add(shrunk);
      for (const { table, from, to } of tree.scanned.runs()) addTo(sums, table.sums(from, to));
    }
    await this.#readyToCapture(context);
    onProgress?.({ ...read });
    this.#read = read.files;
    return { ...sums, read, walkMs: Math.max(0, clock.monotonicMs() - startedMs - readMs) };
  }

  async estimate({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<HomeEstimate> {
    assert(this.#stage === 'open', `Cannot estimate home: it is ${this.#stage}`);
    this.#stage = 'finished';
    await this.#plant({ base: this.#options.base, signal });
    const context = this.#context({ signal, sliceMs: sliceMs.live }, () => {});
    const sums = { files: 0, folders: 0, bytes: 0, changed: 0, changedBytes: 0 };
    for (const tree of this.#trees) addTo(sums, await estimateTree(tree, context));
    return sums;
  }

  async capture({ signal, budgetBytes }: { signal?: AbortSignal | undefined; budgetBytes: number }) {
    assert(this.#stage === 'scanned' || this.#stage === 'open', `Cannot capture home: it is ${this.#stage}`);
    if (this.#stage === 'open') await this.#plant({ base: undefined, signal });
    this.#stage = 'captured';
    const budget = { left: budgetBytes };
    const context: CaptureContext = {
      ...this.#context({ signal, sliceMs: sliceMs.window }, () => {}),
      budget,
      pins: this.#pins,
    };
    for (const tree of this.#trees) {
      tree.fileSystems.checkClocks();
      const { taken, read } = await captureTree(tree, context);
      this.#changedInLatch += taken;
      this.#read += read;
    }
    signal?.throwIfAborted();
    return { changedInLatch: this.#changedInLatch, keptBytes: budgetBytes - budget.left };
  }

  async finish({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<HomeResult> {
    assert(this.#stage === 'captured', `Cannot finish home: it is ${this.#stage}`);
    this.#stage = 'finished';
    const { sink, cuts, remembered } = this.#options;
    const pace = this.#pace({ signal, sliceMs: sliceMs.live });
    const context = { sink, cuts, pace, pins: this.#pins };
    const roots: HomeRoot[] = [];
    const sums = { files: 0, folders: 0, bytes: 0 };
    for (const tree of this.#trees) {
      await storeKept(tree, context);
      const { listing, rows, ...counted } = await listTree(tree, context);
      if (rows) await remembered?.put(listing.id, rows);
      roots.push({ path: bytesOf(tree.name), listing });
      addTo(sums, counted);
    }
    const { excluded, sockets, gitLeftOvers, unreadable } = this.#report;
    return {
      roots,
      ...sums,
      changed: this.#read,
      changedInLatch: this.#changedInLatch,
      skipped: { excluded, sockets: sockets.size, gitLeftOvers: gitLeftOvers.size },
      inWindow: this.#trees.flatMap(tree => tree.late),
      unreadable: unreadable.map(text => this.#named(text)),
      notes: [
        ...this.#trees.flatMap(tree => [...tree.fileSystems.notes]),
        ...notesOf(this.#report).map(text => this.#named(text)),
      ],
    };
  }

  /** Frees what is held. Nothing on disk is this home's. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stage = 'finished';
    this.#pins[Symbol.dispose]();
    await this.#askers?.[Symbol.asyncDispose]();
    this.#trees = [];
    this.#buffer = undefined;
  }

  /** With the paths of a view as those of the home: it is gone when somebody reads this. */
  #named(text: string): string {
    const [home] = this.#plans;
    if (!home || home.root === home.name) return text;
    return text.replaceAll(`${shown(home.root)}/`, `${shown(home.name)}/`);
  }

  /** Loads what is known of each root. The order in memory: an earlier look must be there before this one begins. */
  async #plant({
    base,
    signal,
  }: {
    base: HomeBase | undefined;
    signal: AbortSignal | undefined;
  }): Promise<void> {
    const pace = this.#pace({ signal, sliceMs: sliceMs.live });
    const { clock } = this.#tools;
    const onNote = (note: string) => this.#report.notes.add(note);
    const trees: Tree[] = [];
    this.#startAskers(base?.roots.reduce((sum, { listing }) => sum + listing.entries, 0) ?? 0);
    for (const plan of this.#plans) {
      const loaded = base && (await loadBase(base, plan, { clock, pace, onNote }));
      // An earlier look that had no such rule may have trusted a file that none may.
      const isUsable = !plan.isLate || (loaded?.rules && Buffer.compare(loaded.rules, plan.rules) === 0);
      trees.push(makeTree(plan, { tools: this.#tools, base: isUsable ? loaded : undefined }));
    }
    this.#trees = trees;
  }

  /** Early: when they are needed they must be there. */
  #startAskers(rows: number): void {
    const { stat, takenMs } = this.#tools;
    if (stat.statx && takenMs === undefined) this.#askers ??= startAskers(rows, this.#options.askers);
  }

  /** What is done in the window for the first time would be slow there. */
  async #readyToCapture(context: LookContext): Promise<void> {
    if (this.#askers) return; // they were at work already
    this.#startAskers(this.#trees.reduce((sum, { scanned }) => sum + scanned.count, 0));
    if (!this.#askers) return;
    for (const { scanned, ...tree } of this.#trees) {
      const some = scanned.firstRows(rowsToWarmUp);
      await steadyRows({ scanned: some }, { ...tree, scanned: some }, { ...context, askers: this.#askers });
    }
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
      askers: this.#askers,
      isSame: this.#options.isSame ?? isSame,
      report: this.#report,
      onTaken,
    };
  }
}

function addTo<Sums extends object>(sums: Sums, more: Sums): void {
  const total = sums as Record<string, number>;
  for (const [name, value] of Object.entries(more)) total[name] = (total[name] ?? 0) + (value as number);
}
