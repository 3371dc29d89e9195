import { closeSync } from 'node:fs';
import type { Pace } from '../pace.ts';
import { join } from '../paths.ts';
import {
  type IsSame,
  isEqual,
  isSame as isProvablySame,
  type KnownRows,
  origins,
  RowSequence,
  type TreeBase,
} from '../rows/index.ts';
import { isRefLike } from '../rules/git-places.ts';
import { type Askers, findSteady, halvesOf, type Judge, type SteadyRows } from '../steady/index.ts';
import { openForReading } from '../system/read.ts';
import { isFile, isFolder, type Stats } from '../system/stat.ts';
import type { ClockWatch, Tools, WalkOptions, Where } from '../walk/index.ts';
import type { Tree } from './tree.ts';

export interface TrustContext {
  readonly tools: Tools;
  readonly watch: ClockWatch;
  readonly isSame: IsSame;
  /** True where the rows are of a look at the very same view. */
  readonly isView?: boolean | undefined;
  /** Threads that ask beside this one. */
  readonly askers?: Askers | undefined;
}

type StillHolds = NonNullable<WalkOptions['isSame']>;

/** Whether a row of an earlier look still holds, by what its file system says now. */
export function trustIn(rows: KnownRows, tree: Tree, context: TrustContext): StillHolds {
  const { watch } = context;
  const isSame = context.isView ? isEqual : context.isSame;
  const isSameFolder = context.isView ? isEqual : isProvablySame;
  const { fileSystems } = tree;
  return (at, now, where) => {
    if (rows.isUntaken(at) || watch.wentBack) return false;
    const ordinal = rows.fileSystem(at);
    const fileSystem = fileSystems.get(ordinal);
    if (!fileSystem?.trusted || fileSystems.ordinalOfDevice(now.dev) !== ordinal) return false;
    let seen: Stats | undefined = now;
    if (fileSystem.cached) {
      if (isFolder(now) || isRefLike(where.place, rows.name(at))) return false;
      if (isFile(now)) seen = seenThroughOpen(rows, at, { where, tools: context.tools });
      if (!seen) return false;
    }
    const state = { ...seen, size: isFile(seen) ? seen.size : 0 };
    const decide = isFile(seen) ? isSame : isSameFolder;
    return decide(rows.state(at), state, fileSystem.look);
  };
}

/** Whether a row of the base still holds: it must also be of the same file system, and found by the same rules. */
export function trustInBase(base: TreeBase, tree: Tree, context: TrustContext): StillHolds {
  const { table } = base;
  const { fileSystems, root, rules } = tree;
  const holds = trustIn(table, tree, context);
  const areRulesSame = isSameRules(base, rules);
  return (at, now, where) => {
    // a folder that is not listed again shows nothing that other rules would let in
    if (table.isUntaken(at) || (isFolder(now) && !areRulesSame)) return false;
    if (fileSystems.ordinalOfDevice(now.dev) === undefined) {
      fileSystems.ordinalOf(at === 0 ? root : join(where.path, table.name(at)), now);
    }
    if (!fileSystems.get(table.fileSystem(at))?.isBases) return false;
    // names that once did not agree are compared again
    if (!isFolder(now) && now.nlink > 1 !== table.isLinked(at)) return false;
    return holds(at, now, where);
  };
}

/**
 * Marks in one pass the rows of an earlier look that still hold, so that the walk need not ask about them; undefined
 * where only the walk may judge: through a test's eyes, in a view, and where the C library cannot be asked.
 *
 * Inside the window a file of Git's objects (see `isObjectFolder`) is not asked about where its folder is as it was. Git
 * writes an object under another name and renames it, which the folder's times show, as they show one that is gone or
 * replaced. What they do not show is an object file that somebody rewrites in place between the pre-scan and the lock:
 * Git never does, and the next run's pre-scan asks about every file.
 */
export async function steadyRows(
  looked: { readonly base: TreeBase } | { readonly scanned: RowSequence },
  tree: Tree,
  context: TrustContext & { readonly pace: Pace },
): Promise<SteadyRows | undefined> {
  const { tools, pace, watch } = context;
  const { statx } = tools.stat;
  if (!statx || context.isSame !== isProvablySame || context.isView || watch.wentBack) return undefined;
  const { fileSystems, root, rules } = tree;
  const base = 'base' in looked ? looked.base : undefined;
  const known = 'base' in looked ? rowsOf(looked.base) : looked.scanned;
  if (base) {
    const stats = tools.stat.path(root);
    if (!stats) return undefined;
    fileSystems.ordinalOf(root, stats); // others are the walk's to meet, in its order
  }
  return findSteady(known, {
    rules: {
      root,
      judges: judgesOf(fileSystems, { isBases: base !== undefined }),
      comparesLinks: base !== undefined,
      doubtsFolders: base !== undefined && !isSameRules(base, rules),
      trustsObjects: base === undefined,
    },
    statx,
    askers: context.askers,
    rest: () => {
      const resting = pace.rest();
      if (!resting) return !watch.wentBack;
      return resting.then(() => {
        watch.check();
        return !watch.wentBack;
      });
    },
  });
}

function rowsOf({ table }: TreeBase): RowSequence {
  const rows = new RowSequence([table]);
  if (table.count > 0) rows.push(origins.base, 0, table.count);
  return rows;
}

/** By file system; `isBases`: only those that the base has, too. */
function judgesOf(
  fileSystems: Tree['fileSystems'],
  { isBases }: { isBases: boolean },
): (Judge | undefined)[] {
  return fileSystems.ordinals.map(ordinal => {
    const fileSystem = fileSystems.get(ordinal);
    const device = fileSystems.deviceOf(ordinal);
    if (!fileSystem?.trusted || fileSystem.cached || device === undefined) return undefined;
    if (isBases && !fileSystem.isBases) return undefined;
    const { startedNs, marginNs } = fileSystem.look;
    return { ...device, ...halvesOf(startedNs - marginNs) };
  });
}

const isSameRules = (base: TreeBase, rules: Uint8Array): boolean =>
  base.rules !== undefined && Buffer.compare(base.rules, rules) === 0;

/** Opening a file makes a network file system ask its server. */
function seenThroughOpen(
  rows: KnownRows,
  at: number,
  { where, tools }: { where: Where; tools: Tools },
): Stats | undefined {
  const path = join(where.path, rows.name(at));
  try {
    const fd = openForReading(path);
    try {
      return tools.stat.open(fd, path);
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined; // taking it again will say what is wrong with it
  }
}
