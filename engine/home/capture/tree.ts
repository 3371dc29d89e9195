import { readlinkSync } from 'node:fs';
import type { Content } from '../../../store/index.ts';
import { type BytePath, bytePath, bytesOf, shown } from '../paths.ts';
import { EntryTable, type Row, RowSequence, type TreeBase } from '../rows/index.ts';
import type { IsExcluded } from '../rules/exclude.ts';
import { isFile, kindMask, kinds, timeNsMax } from '../system/stat.ts';
import { readXattrs, type Xattr } from '../system/xattrs.ts';
import type { HomeFile } from '../types.ts';
import { FileSystems, type Found, type Tools } from '../walk/index.ts';
import type { PinnedFile } from './pinned.ts';

/** A part of a file that waits: bytes in memory, the length of a hole, or all of a file that is held open. */
export type KeptPart = Uint8Array | number | PinnedFile;

/** What is known of a root before it is looked at. */
export interface RootPlan {
  readonly root: BytePath;
  /** The path by which it is listed: `root`, or where the home is of which `root` is a view. */
  readonly name: BytePath;
  readonly isExcluded: IsExcluded;
  /** Files that only the window's look tells anything about; absent: there are none. */
  readonly isLate?: IsExcluded | undefined;
  /** Fingerprint of the rules that `isExcluded` follows. */
  readonly rules: Uint8Array;
}

/** One root on its way through a run. */
export interface Tree extends RootPlan {
  readonly fileSystems: FileSystems;
  /** What an earlier snapshot had; undefined: there is none that could be used. */
  readonly base: TreeBase | undefined;
  /** What the live pre-scan read. */
  readonly first: EntryTable;
  /** What was found new or changed in the window. */
  readonly again: EntryTable;
  /** The home as the pre-scan left it: rows of the base that still hold, and of `first`. */
  readonly scanned: RowSequence;
  /** The snapshot: rows of all three. */
  readonly order: RowSequence;
  /** Files of `again` whose bytes are in memory until `finish`. */
  readonly kept: Map<number, readonly KeptPart[]>;
  /** Files that had to be read in the window. */
  readonly late: HomeFile[];
}

/** Whether a file's times and size say nothing: a database may write to it through memory. */
export function isLate({ root, isLate: rule }: RootPlan, { path }: Pick<Found, 'path'>): boolean {
  return rule?.(belowRoot(root, path), false) ?? false;
}

export const belowRoot = (root: BytePath, path: BytePath): BytePath =>
  (root === '/' ? path.slice(1) : path.slice(root.length + 1)) as BytePath;

export function makeTree(
  plan: RootPlan,
  { tools, base }: { tools: Tools; base?: TreeBase | undefined },
): Tree {
  const [first, again] = [new EntryTable(), new EntryTable()];
  const tables = [base?.table ?? new EntryTable(0), first, again];
  return {
    ...plan,
    fileSystems: new FileSystems(plan.root, { tools, base }),
    base,
    first,
    again,
    scanned: new RowSequence(tables),
    order: new RowSequence(tables),
    kept: new Map(),
    late: [],
  };
}

const emptySubvolumeInode = 2n;

/**
 * In a view on btrfs: where the home has a subvolume of its own, whose files a snapshot of the outer one does not hold. It
 * shows an empty folder with an inode that nothing else has.
 */
export function isMissingSubvolume(
  { stats, depth }: Found,
  { tree, tools }: { tree: Tree; tools: Tools },
): boolean {
  if (tools.takenMs === undefined || depth === 0 || stats.ino !== emptySubvolumeInode) return false;
  const ordinal = tree.fileSystems.ordinalOfDevice(stats.dev);
  return ordinal !== undefined && tree.fileSystems.get(ordinal)?.type === 'btrfs';
}

/** Makes the row of something the walk found, without content. `onNote` hears of what could not be read of it. */
export function rowOf(
  { path, name, depth, stats, place }: Found,
  { tree, tools, onNote }: { tree: Tree; tools: Tools; onNote: (note: string) => void },
): Row & { readonly broken: boolean } {
  const fileSystem = tree.fileSystems.ordinalOf(path, stats);
  if (stats.mtimeNs === timeNsMax) onNote(`${shown(path)} has a time after 2262: it is kept as 2262-04-11`);
  if (isFile(stats)) return { name, depth, stats, fileSystem, place, xattrs: none, broken: false };
  try {
    const xattrs = xattrsOf(path, { tools, onNote });
    const isLink = (stats.mode & kindMask) === kinds.link;
    const target = isLink ? bytePath(readlinkSync(bytesOf(path), { encoding: 'buffer' })) : undefined;
    return { name, depth, stats, fileSystem, place, xattrs, target, broken: false };
  } catch {
    // gone or replaced since it was met: the row is not to be trusted, and in the window not to be kept
    const target = '' as BytePath;
    return { name, depth, stats, fileSystem, place, xattrs: none, target, broken: true };
  }
}

const none: readonly Xattr[] = [];

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
