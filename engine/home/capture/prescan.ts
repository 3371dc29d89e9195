import type { Cuts } from '../../../chunker/index.ts';
import type { ChunkSink, Content } from '../../../store/index.ts';
import { type PackReuse, packReuse } from '../git-packs/index.ts';
import type { Pace } from '../pace.ts';
import { type EntryTable, type IsSame, LinkedNames, origins, type TreeBase } from '../rows/index.ts';
import type { Askers } from '../steady/index.ts';
import { type FileReader, type SmallFile, smallBytesMax, takeFile, takeSmall } from '../system/read.ts';
import { isFile, isFolder } from '../system/stat.ts';
import type { HomeEstimate } from '../types.ts';
import { type ClockWatch, type Found, type Tools, type WalkOptions, walk } from '../walk/index.ts';
import { noteLeftOut, type Report, rootUnreadable, rootVanished } from './report.ts';
import { storeSmall, storing } from './storing.ts';
import { isLate, isMissingSubvolume, rowOf, type Tree } from './tree.ts';
import { steadyRows, trustInBase } from './trust.ts';

/** What both looks at a tree work with. */
export interface LookContext {
  readonly tools: Tools;
  readonly reader: FileReader;
  readonly sink: ChunkSink;
  readonly cuts: Cuts;
  readonly pace: Pace;
  readonly watch: ClockWatch;
  readonly isSame: IsSame;
  readonly report: Report;
  /** Threads that ask beside this one. */
  readonly askers: Askers | undefined;
  readonly onTaken: (bytes: number) => void;
  /** Hears how long reading and storing took. */
  readonly onRead?: ((ms: number) => void) | undefined;
}

const liveTries = 2;

/** Counts a tree as it is now, and what a backup of it would read. Stores nothing. */
export async function estimateTree(tree: Tree, context: LookContext): Promise<HomeEstimate> {
  const { root, base } = tree;
  const { pace } = context;
  const sum = { files: 0, folders: 0, bytes: 0, changed: 0, changedBytes: 0 };
  const linked = new Set<string>();
  for (const event of walk(await walkOptions(tree, context))) {
    switch (event.kind) {
      case 'found': {
        const { stats } = event.entry;
        sum[isFolder(stats) ? 'folders' : 'files']++;
        if (!isFile(stats)) break;
        sum.bytes += stats.size;
        const name = `${stats.dev}:${stats.ino}`;
        if (stats.nlink > 1 && linked.size === linked.add(name).size) break;
        sum.changed++;
        sum.changedBytes += stats.size;
        break;
      }
      case 'same': {
        const { files, folders, bytes } = base!.table.sums(event.from, event.to);
        sum.files += files;
        sum.folders += folders;
        sum.bytes += bytes;
        break;
      }
      case 'vanished':
        if (event.path === root) throw rootVanished(root);
        break;
      case 'unreadable':
        if (event.path === root) throw rootUnreadable(root, event.error);
        break;
      case 'leave':
      case 'left-out':
        break;
      default:
        event satisfies never;
    }
    const resting = pace.rest();
    if (resting) await resting;
  }
  return sum;
}

/**
 * Compares a tree with its base while the application may write to it, and reads and stores every file that is not
 * provably the same. What it cannot read is left to the window.
 */
export async function prescanTree(tree: Tree, context: LookContext): Promise<void> {
  const { tools, pace, report, watch } = context;
  const { base, first, root, scanned } = tree;
  const names = new LinkedNames();
  const folders: number[] = [];
  const packs = base && reuseOf(base, tree, context);
  for (const event of walk(await walkOptions(tree, context))) {
    switch (event.kind) {
      case 'same':
        scanned.push(origins.base, event.from, event.to);
        break;
      case 'found': {
        const row = rowOf(event.entry, { tree, tools, onNote: note => report.notes.add(note) });
        const at = first.add(row);
        scanned.push(origins.first, at, at + 1);
        if (row.broken || isMissingSubvolume(event.entry, { tree, tools })) first.setUntaken(at);
        if (isFolder(row.stats)) folders.push(at);
        else if (isFile(row.stats)) {
          const taking = takeLive({ found: event.entry, at, names, table: first, packs }, context);
          if (taking) await taking;
          if (isLate(tree, event.entry)) first.setUntaken(at); // what is stored now spares the window some time
        }
        break;
      }
      case 'leave':
        folders.pop();
        break;
      case 'left-out':
        noteLeftOut(report, event);
        break;
      case 'vanished':
        if (event.path === root) throw rootVanished(root);
        report.vanishedLive++;
        break;
      case 'unreadable': {
        if (event.path === root) throw rootUnreadable(root, event.error);
        // the window asks again; until then nothing may be taken for known about this folder
        const folder = folders.at(-1);
        if (event.inside !== undefined) base!.table.setUntaken(event.inside);
        else if (folder !== undefined) first.setUntaken(folder);
        break;
      }
      default:
        event satisfies never;
    }
    const resting = pace.rest();
    if (resting) {
      await resting;
      watch.check();
    }
  }
  scanned.endFolders();
}

async function walkOptions(tree: Tree, context: LookContext): Promise<WalkOptions> {
  const { base, root, isExcluded } = tree;
  const plain = { root, isExcluded, stat: context.tools.stat };
  if (!base) return plain;
  const steady = await steadyRows({ base }, tree, context);
  return { ...plain, first: base.table, isSame: trustInBase(base, tree, context), steady };
}

function reuseOf({ table, source, has }: TreeBase, { root }: Tree, context: LookContext): PackReuse {
  const { sink, cuts, tools, reader } = context;
  return packReuse({ root, table, source, has, sink, cuts, stat: tools.stat, rest: reader.rest });
}

interface Taking {
  readonly found: Found;
  readonly at: number;
  readonly names: LinkedNames;
  readonly table: EntryTable;
  readonly packs: PackReuse | undefined;
}

/** A promise only where there is something to wait for: most files are small. */
function takeLive(taking: Taking, context: LookContext): Promise<void> | undefined {
  const { found, at, names, table } = taking;
  const other = names.other(found.stats, { table, at });
  if (other !== undefined) {
    table.setRead(at);
    table.setXattrs(at, table.xattrs(other));
    table.shareContent(at, other);
    return undefined;
  }
  const isSmall = found.stats.size <= smallBytesMax && !(taking.packs && found.name.endsWith('.pack'));
  if (!isSmall) return takeLarge(taking, context, liveTries);
  const { clock } = context.tools;
  const startedMs = clock.monotonicMs();
  const small = takeSmall(found.path, context.reader);
  if (!small || small === 'changed') return takeLarge(taking, context, small ? liveTries - 1 : liveTries);
  const received = storeSmall(small.bytes, context);
  const finish = (content: Content): void => {
    context.onRead?.(clock.monotonicMs() - startedMs);
    setTaken(taking, content, { file: small, isSteady: true, context });
  };
  if (received instanceof Promise) return received.then(finish);
  finish(received);
  return undefined;
}

async function takeLarge(taking: Taking, context: LookContext, tries: number): Promise<void> {
  const { found, at, table, packs } = taking;
  const { clock } = context.tools;
  const startedMs = clock.monotonicMs();
  const planned = await packs?.plan(found.path);
  const taken = await takeFile(found.path, context.reader, {
    tries,
    receive: stats => planned?.(stats) ?? storing(stats, context),
  });
  context.onRead?.(clock.monotonicMs() - startedMs);
  if (taken.kind === 'taken')
    setTaken(taking, taken.received, { file: taken, isSteady: taken.steady, context });
  else table.setUntaken(at);
}

function setTaken(
  { table, at }: Taking,
  content: Content,
  {
    file,
    isSteady,
    context,
  }: { file: Pick<SmallFile, 'stats' | 'xattrs'>; isSteady: boolean; context: LookContext },
): void {
  table.setStats(at, file.stats);
  table.setXattrs(at, file.xattrs);
  table.setContent(at, content);
  table.setRead(at);
  if (!isSteady) table.setUntaken(at);
  context.onTaken(content.length);
}
