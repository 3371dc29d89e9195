import { readlinkSync } from 'node:fs';
import type { Clock, Content, Randomness } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import type { IsExcluded } from './exclude.ts';
import { type FileSystemFacts, type FileSystemProbe, fileSystemOf } from './filesystem.ts';
import type { Libc } from './libc.ts';
import { lookNow, probeLook, type TimedLook } from './look.ts';
import { type BytePath, bytePath, bytesOf, shown } from './paths.ts';
import { isFile, isFolder, kindMask, kinds, type StatCalls, type Stats } from './stat.ts';
import { EntryTable, type Row, RowOrder } from './table.ts';
import type { Found } from './walk.ts';
import { readXattrs, type Xattr } from './xattrs.ts';

/** A part of a file that waits in memory: bytes, or the length of a hole. */
export type KeptPart = Uint8Array | number;

/** One root on its way through a run. */
export interface Tree {
  readonly root: BytePath;
  readonly isExcluded: IsExcluded;
  readonly fileSystems: FileSystems;
  /** What the live pre-scan found. */
  readonly first: EntryTable;
  /** What was found new or changed in the window. */
  readonly again: EntryTable;
  /** The snapshot: rows of both. */
  readonly order: RowOrder;
  /** Files of `again` whose bytes are in memory until `finish`. */
  readonly kept: Map<number, readonly KeptPart[]>;
}

export function makeTree(root: BytePath, parts: { isExcluded: IsExcluded; fileSystems: FileSystems }): Tree {
  return {
    root,
    ...parts,
    first: new EntryTable(),
    again: new EntryTable(),
    order: new RowOrder(),
    kept: new Map(),
  };
}

/** What all roots of a run share. */
export interface Tools {
  readonly stat: StatCalls;
  readonly libc: Libc | undefined;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly fileSystemSeam: FileSystemProbe | undefined;
  /** Accepts a network file system although its answers may be late. */
  readonly readsAgain: boolean;
}

export interface FileSystem extends FileSystemFacts {
  readonly folder: BytePath;
  look: TimedLook;
  /** False once its clock is known to have gone back: none of its times say anything. */
  trusted: boolean;
}

/** The file systems that a root spans, in the order in which the walk meets them. */
export class FileSystems {
  #tools: Tools;
  #byDevice = new Map<number, number>();
  #all: FileSystem[] = [];

  constructor(tools: Tools) {
    this.#tools = tools;
  }

  get all(): readonly FileSystem[] {
    return this.#all;
  }

  get(ordinal: number): FileSystem {
    return this.#all[ordinal]!;
  }

  has(device: number): boolean {
    return this.#byDevice.has(device);
  }

  /** The ordinal of the one that holds path. At the first meeting of one, learns its clock from a probe in the folder. */
  ordinalOf(path: BytePath, stats: Stats): number {
    const known = this.#byDevice.get(stats.dev);
    if (known !== undefined) return known;
    const { libc, fileSystemSeam: seam, readsAgain } = this.#tools;
    const facts = fileSystemOf(path, { dev: stats.dev, libc, seam });
    if (facts.cached && !readsAgain) throw cannotTrust(path, facts.type);
    // a file with a device of its own (overlay, bind mount): its folder's clock is the nearest
    const near = isFolder(stats) ? undefined : this.#all.find(one => one.type === facts.type);
    const look = near?.look ?? probeLook(path, this.#tools);
    const ordinal = this.#all.push({ ...facts, folder: path, look, trusted: true }) - 1;
    this.#byDevice.set(stats.dev, ordinal);
    return ordinal;
  }

  /** Asks the clocks of network file systems once more: our own says nothing about them. */
  checkClocks(): void {
    for (const one of this.#all) {
      if (!one.cached) continue;
      const expected = lookNow(one.look, this.#tools.clock);
      const { startedNs } = probeLook(one.folder, this.#tools);
      if (startedNs < expected.startedNs - clockToleranceNs) one.trusted = false;
    }
  }
}

const clockToleranceNs = 1_000_000_000n;

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

/** Makes the row of something the walk found, without content. `onNote` hears of what could not be read of it. */
export function rowOf(
  { path, name, depth, stats, place }: Found,
  { tree, tools, onNote }: { tree: Tree; tools: Tools; onNote: (note: string) => void },
): Row & { readonly broken: boolean } {
  const isNew = !tree.fileSystems.has(stats.dev);
  const fileSystem = tree.fileSystems.ordinalOf(path, stats);
  // a probe changed the folder's times: the row must hold what a later look will see
  const now = isNew && isFolder(stats) ? (tools.stat.path(path) ?? stats) : stats;
  const row = { name, depth, stats: now, fileSystem, place };
  if (isFile(stats)) return { ...row, xattrs: [], broken: false };
  try {
    const xattrs = xattrsOf(path, { tools, onNote });
    const isLink = (stats.mode & kindMask) === kinds.link;
    const target = isLink ? bytePath(readlinkSync(bytesOf(path), { encoding: 'buffer' })) : undefined;
    return { ...row, xattrs, target, broken: false };
  } catch {
    // gone or replaced since it was met: the row is not to be trusted, and in the window not to be kept
    return { ...row, xattrs: [], target: '' as BytePath, broken: true };
  }
}

function xattrsOf(
  path: BytePath,
  { tools, onNote }: { tools: Tools; onNote: (note: string) => void },
): readonly Xattr[] {
  return readXattrs(path, {
    libc: tools.libc,
    onUnreadable: name => onNote(`Attribute ${shown(name)} of ${shown(path)} cannot be read`),
  });
}

/** A file so small that its bytes are kept in its entry. */
export const inlineContent = (bytes: Uint8Array): Content => ({
  length: bytes.length,
  extents: bytes.length === 0 ? [] : [{ kind: 'inline', bytes: new Uint8Array(bytes) }],
});
