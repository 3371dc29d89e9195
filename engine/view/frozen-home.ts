import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import type { Clock } from '../../store/index.ts';
import type { Command } from '../command/index.ts';
import { engineError } from '../errors.ts';
import { type Home, type HomeOptions, type HomeProgress, type HomeResult, openHome } from '../home/index.ts';
import type { CommandPlace, CommandRuns } from '../hooks.ts';
import { ownIdentity } from '../process-identity.ts';
import { settle } from '../waiting.ts';
import {
  checkDataStores,
  checkMountFree,
  checkStillThere,
  checkTaken,
  checkVolumesBelow,
  type FolderIdentity,
} from './checks.ts';
import {
  isViewed,
  listViewRecords,
  noteWork,
  type RecordPlace,
  removeViewRecord,
  viewedHere,
  viewRecordPath,
  writeViewRecord,
} from './record.ts';

/** Commands that make a read-only view of the home's volume, and drop it. */
export interface Freeze {
  readonly take: readonly Command[];
  /** The folder that is the home, as the view shows it. */
  readonly mount: string;
  readonly drop: readonly Command[];
}

export interface FrozenHomeOptions {
  readonly freeze: Freeze;
  readonly home: HomeOptions;
  readonly runs: CommandRuns;
  readonly place: CommandPlace;
  readonly stateDir: string;
  readonly clock: Clock;
  /** Told what has been read of the view. */
  readonly onProgress: (progress: HomeProgress) => void;
  /** Hears what went wrong with dropping the view of a run that fails. */
  readonly onWarning: (text: string) => void;
}

/** A home whose window is the making of a view; it is read from there afterwards. Stages as those of `Home`. */
export interface FrozenHome extends Pick<Home, 'prescan' | 'capture' | 'finish'>, AsyncDisposable {
  /** Drops the view once it has been read. What went wrong, a sentence each; the next run tries again then. */
  drop(): Promise<readonly string[]>;
}

/** After a take that was ended: how long its last command is waited for. It has been sent SIGKILL by then. */
const dyingMs = 10_000;

/** Prepares to read a home from a view. Makes nothing. HOME_UNREADABLE, CONFIG_INVALID. */
export async function openFrozenHome(options: FrozenHomeOptions): Promise<FrozenHome> {
  await using _found = await openHome({ ...options.home, dataStores: [] }); // that it is there
  await checkDataStores(options.home);
  return new View(options);
}

class View implements FrozenHome {
  readonly #options: FrozenHomeOptions;
  readonly #run: string;
  readonly #file: string;
  #stage: 'open' | 'recorded' | 'taking' | 'taken' | 'closed' = 'open';
  #taking: Promise<void> | undefined;
  #takenMs = 0;
  #identity: FolderIdentity | undefined;

  constructor(options: FrozenHomeOptions) {
    this.#options = options;
    this.#run = `${options.clock.nowMs().toString(36)}-${process.pid}`;
    this.#file = viewRecordPath(this.#recordPlace, this.#run);
  }

  /** Looks at nothing of the home: what is read then is not what will be frozen. Writes the record, so that nobody waits for it. */
  async prescan() {
    const { freeze, place, clock } = this.#options;
    const commands = freeze.drop.map(({ run }) => run);
    await checkMountFree(freeze.mount, commands);
    viewedHere.add(this.#run);
    await writeViewRecord(this.#file, {
      version: 1,
      run: this.#run,
      place,
      mount: freeze.mount,
      drop: freeze.drop,
      program: await ownIdentity(),
      host: hostname(),
      writtenAt: new Date(clock.nowMs()).toISOString(),
    });
    this.#stage = 'recorded';
    return { files: 0, folders: 0, bytes: 0, read: { files: 0, bytes: 0 }, walkMs: 0 };
  }

  async capture({ signal }: { signal?: AbortSignal | undefined }) {
    assert(this.#stage === 'recorded', `Cannot take a view of the home: it is ${this.#stage}`);
    this.#stage = 'taking';
    this.#taking = this.#take(signal);
    await this.#taking;
    this.#stage = 'taken';
    return { changedInLatch: 0, keptBytes: 0 };
  }

  async #take(signal: AbortSignal | undefined): Promise<void> {
    const { freeze, home, runs, clock } = this.#options;
    this.#takenMs = clock.monotonicMs();
    noteWork(this.#file); // before the first command: a run that is killed between the two has perhaps begun
    await runs.inTurn('freeze-take', freeze.take, { ...this.#commands, signal });
    this.#identity = await checkTaken(freeze.mount, home.root);
    await checkVolumesBelow(freeze.mount, home);
  }

  async finish({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<HomeResult> {
    assert(this.#stage === 'taken' && this.#identity, `Cannot read a view of the home: it is ${this.#stage}`);
    const { freeze, home, onProgress } = this.#options;
    const view = { path: freeze.mount, takenMs: this.#takenMs };
    await checkStillThere(freeze.mount, this.#identity);
    await using read = await openHome({ ...home, dataStores: [], view });
    await read.prescan({ signal, onProgress });
    await read.capture({ signal, budgetBytes: 0 });
    const result = await read.finish({ signal });
    await checkStillThere(freeze.mount, this.#identity);
    const broken = result.unreadable.find(text => text.endsWith('(EIO)'));
    if (broken !== undefined) throw viewBroke(freeze.mount, broken);
    return { ...result, changedInLatch: 0 }; // nothing was read in the window
  }

  async drop(): Promise<readonly string[]> {
    const { freeze, runs, clock } = this.#options;
    const hasBegun = this.#stage === 'taking' || this.#stage === 'taken';
    const isRecorded = hasBegun || this.#stage === 'recorded';
    this.#stage = 'closed';
    if (this.#taking) await settle(this.#taking, { ms: dyingMs, clock });
    // nothing ends these: they are what is to be done on every path out, and their time-outs are all that they have
    const failures = hasBegun ? await runs.each('freeze-drop', freeze.drop, this.#commands) : [];
    if (isRecorded && failures.length === 0) await this.#forget({ isDropped: hasBegun });
    viewedHere.delete(this.#run);
    return failures.map(
      ({ message }) =>
        `The view of the home at ${freeze.mount} is perhaps still there; the next run drops it first: ${message}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stage === 'closed') return;
    for (const sentence of await this.drop()) this.#options.onWarning(sentence);
  }

  /** What dropped this view would have dropped any at the same place: earlier records have nothing to say any more. */
  async #forget({ isDropped }: { readonly isDropped: boolean }): Promise<void> {
    await removeViewRecord(this.#file);
    if (!isDropped) return;
    for (const { file, record } of await listViewRecords(this.#recordPlace)) {
      const isHere = record.mount === this.#options.freeze.mount;
      if (isHere && !(await isViewed(record))) await removeViewRecord(file);
    }
  }

  get #recordPlace(): RecordPlace {
    const { stateDir, place } = this.#options;
    return { stateDir, instance: place.instance };
  }

  get #commands() {
    return {
      env: { STILLPOINT_MOUNT: this.#options.freeze.mount },
      onStarted: (pid: number) => noteWork(this.#file, pid),
    };
  }
}

/** A volume's snapshot that has no room left gives errors for everything in it. */
function viewBroke(mount: string, broken: string): Error {
  return engineError('HOME_UNREADABLE', `Cannot read the view of the home at ${mount}: ${broken}`, {
    remedy:
      'A volume snapshot that has run full gives such errors: give it more room. Else the disk fails: see the kernel’s log.',
  });
}
