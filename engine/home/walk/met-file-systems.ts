import type { Clock } from '../../../store/index.ts';
import { engineError } from '../../errors.ts';
import type { EntryFileSystem } from '../entries/entry.ts';
import { type BytePath, shown } from '../paths.ts';
import type { TreeBase } from '../rows/index.ts';
import { partsOf } from '../system/device.ts';
import { type FileSystemFacts, type FileSystemProbe, fileSystemOf, isRemote } from '../system/filesystem.ts';
import type { Libc } from '../system/libc.ts';
import { isFolder, type StatCalls, type Stats } from '../system/stat.ts';
import { lookAt, probeLook, type TimedLook } from './clocks.ts';

/** What all roots of a run share. */
export interface Tools {
  readonly stat: StatCalls;
  readonly libc: Libc | undefined;
  readonly clock: Clock;
  readonly fileSystemSeam: FileSystemProbe | undefined;
  /** What the administrator calls the home's file system. */
  readonly fileSystemName: string | undefined;
  /** Monotonic: when the view was taken that is read; undefined where the home itself is. */
  readonly takenMs?: number | undefined;
  /** Accepts a network file system although its answers may be late. */
  readonly readsAgain: boolean;
}

export interface FileSystem extends FileSystemFacts {
  readonly folder: BytePath;
  /** Began before anything was looked at. */
  readonly look: TimedLook;
  /** False once its clock is known to have gone back: none of its times say anything. */
  trusted: boolean;
  /** True when the base lists this very one under the same ordinal: its rows may be trusted. */
  readonly isBases: boolean;
}

const clockToleranceNs = 1_000_000_000n;

/**
 * The file systems that a root spans. Their ordinals are the base's where it had the same ones, so that its rows can be
 * taken over as they are; new ones follow in the order in which the walk meets them.
 */
export class FileSystems {
  readonly #root: BytePath;
  readonly #tools: Tools;
  readonly #base: TreeBase | undefined;
  readonly #startedMs: number;
  #byDevice = new Map<number, number>();
  #all: (FileSystem | undefined)[] = [];
  #notes = new Set<string>();

  /** Made before the walk begins: looks count from here. */
  constructor(root: BytePath, { tools, base }: { tools: Tools; base?: TreeBase | undefined }) {
    this.#root = root;
    this.#tools = tools;
    this.#base = base;
    this.#startedMs = tools.takenMs ?? tools.clock.monotonicMs(); // a view shows no write after it was taken
  }

  /** Sentences about what could not be taken over. */
  get notes(): ReadonlySet<string> {
    return this.#notes;
  }

  /** Up to the highest that was met. */
  get ordinals(): number[] {
    return [...this.#all.keys()];
  }

  /** Undefined: one of the base's that was not met. */
  get(ordinal: number): FileSystem | undefined {
    return this.#all[ordinal];
  }

  /** Of a device that was met. */
  ordinalOfDevice(device: number): number | undefined {
    return this.#byDevice.get(device);
  }

  /** The device that was met as this one, if it is the only one. */
  deviceOf(ordinal: number): { major: number; minor: number } | undefined {
    const devices = [...this.#byDevice].filter(([, of]) => of === ordinal);
    return devices.length === 1 ? partsOf(devices[0]![0]) : undefined;
  }

  /** The ordinal of the one that holds path. At the first meeting of one, learns its clock from a probe in the folder. */
  ordinalOf(path: BytePath, stats: Stats): number {
    return this.#byDevice.get(stats.dev) ?? this.#meet(path, stats);
  }

  /** Asks the clocks of network file systems once more: our own says nothing about them. */
  checkClocks(): void {
    for (const one of this.#all) {
      if (!one?.cached) continue;
      const { startedNs, startedMonotonicMs } = this.#probe(one.folder, one.type);
      const expected = lookAt(one.look, startedMonotonicMs);
      if (startedNs < expected.startedNs - clockToleranceNs) one.trusted = false;
    }
  }

  /**
   * Those that were met, as the root folder lists them. `numbers` translates ordinals; undefined: they are as they are,
   * as nearly always.
   */
  listed(): { fileSystems: EntryFileSystem[]; numbers: ReadonlyMap<number, number> | undefined } {
    const numbers = new Map<number, number>();
    const fileSystems: EntryFileSystem[] = [];
    for (const [ordinal, one] of this.#all.entries()) {
      if (one) numbers.set(ordinal, fileSystems.push({ type: one.type, id: one.id }) - 1);
    }
    const isPlain = [...numbers].every(([ordinal, number]) => ordinal === number);
    return { fileSystems, numbers: isPlain ? undefined : numbers };
  }

  #meet(path: BytePath, stats: Stats): number {
    const { libc, fileSystemSeam: seam, readsAgain } = this.#tools;
    const name = this.#nameOf(path);
    const facts = fileSystemOf(path, { dev: stats.dev, libc, seam, name });
    if (facts.cached && !readsAgain) throw cannotTrust(path, facts.type);
    // a file with a device of its own (overlay, bind mount): its folder's clock is the nearest
    const near = isFolder(stats) ? undefined : this.#all.find(one => one?.type === facts.type);
    const look = near?.look ?? lookAt(this.#probe(path, facts.type), this.#startedMs);
    const { ordinal, isBases } = this.#placeFor(facts);
    this.#all[ordinal] = { ...facts, folder: path, look, trusted: true, isBases };
    this.#byDevice.set(stats.dev, ordinal);
    if (isBases) this.#checkAgainstBase(ordinal);
    else if (this.#base && facts.id === null) this.#notes.add(withoutIdentity(path));
    else if (this.#base) this.#notes.add(this.#isNew(path));
    return ordinal;
  }

  #isNew(path: BytePath): string {
    const isView = this.#tools.takenMs !== undefined;
    return `The file system of ${shown(path)} is new: all of it is read${isView ? '; where every view has an identity of its own, home.fileSystem gives them one' : ''}`;
  }

  #probe(folder: BytePath, type: string): TimedLook {
    return probeLook(folder, { ...this.#tools, remote: isRemote(type) });
  }

  /** A name stands for the root's; what is mounted below gets its place in addition. */
  #nameOf(path: BytePath): string | undefined {
    const { fileSystemName } = this.#tools;
    if (fileSystemName === undefined || path === this.#root) return fileSystemName;
    return fileSystemName + path.slice(this.#root.length);
  }

  #placeFor({ id, type }: FileSystemFacts): { ordinal: number; isBases: boolean } {
    const listed = this.#base?.fileSystems ?? [];
    const free = (wanted: (one: EntryFileSystem) => boolean): number =>
      listed.findIndex((one, at) => !this.#all[at] && wanted(one));
    const same = id === null ? -1 : free(one => one.id === id && one.type === type);
    if (same >= 0) return { ordinal: same, isBases: true };
    // nobody can come back to the place of one without an identity
    const unclaimed = free(one => one.id === null);
    const next = Math.max(this.#all.length, listed.length);
    return { ordinal: unclaimed >= 0 ? unclaimed : next, isBases: false };
  }

  /** A time of the base's that is still to come says that the clock was set back since. */
  #checkAgainstBase(ordinal: number): void {
    const fileSystem = this.#all[ordinal]!;
    const newestNs = this.#base?.newestNs[ordinal];
    if (newestNs === undefined || newestNs <= fileSystem.look.startedNs) return;
    this.#all[ordinal] = { ...fileSystem, isBases: false };
    this.#notes.add(
      `The clock of ${shown(fileSystem.folder)} went back since the snapshot before: all is read`,
    );
  }
}

const withoutIdentity = (path: BytePath): string =>
  `The file system of ${shown(path)} has no identity, so all of it is read again; home.fileSystem can give it one`;

function cannotTrust(path: BytePath, type: string): Error {
  return engineError(
    'HOME_UNREADABLE',
    `Cannot read ${shown(path)}: ${type} may show attributes that are seconds old`,
    {
      remedy: 'Mount it with noac, run on the server itself, or set networkHome to reread.',
      context: { type },
    },
  );
}
