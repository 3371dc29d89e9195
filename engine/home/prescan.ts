import type { Cuts } from '../../chunker/index.ts';
import type { ChunkSink } from '../../store/index.ts';
import { LinkedNames } from './links.ts';
import type { ClockWatch } from './look.ts';
import type { Pace } from './pace.ts';
import { type FileReader, takeFile } from './read.ts';
import { noteLeftOut, type Report, rootUnreadable, rootVanished } from './report.ts';
import { isFile, isFolder } from './stat.ts';
import { storing } from './storing.ts';
import type { EntryTable } from './table.ts';
import { rowOf, type Tools, type Tree } from './tree.ts';
import type { HomeEstimate } from './types.ts';
import { type Found, walk } from './walk.ts';

/** What both looks at a tree work with. */
export interface LookContext {
  readonly tools: Tools;
  readonly reader: FileReader;
  readonly sink: ChunkSink;
  readonly cuts: Cuts;
  readonly pace: Pace;
  readonly watch: ClockWatch;
  readonly report: Report;
  readonly onTaken: (bytes: number) => void;
  /** Hears how long reading and storing took. */
  readonly onRead?: ((ms: number) => void) | undefined;
}

const liveTries = 2;

/** Counts a tree as it is now; what a base does not have would be read. Stores nothing. */
export async function estimateTree(tree: Tree, { tools, pace }: LookContext): Promise<HomeEstimate> {
  const { root, isExcluded } = tree;
  const sum = { files: 0, folders: 0, bytes: 0, changed: 0, changedBytes: 0 };
  for (const event of walk({ root, isExcluded, stat: tools.stat })) {
    if (event.kind === 'found') {
      const { stats } = event.entry;
      const bytes = isFile(stats) ? stats.size : 0;
      sum[isFolder(stats) ? 'folders' : 'files']++;
      sum.bytes += bytes;
      if (isFile(stats)) sum.changed++;
      sum.changedBytes += bytes;
    } else if (event.kind === 'vanished' && event.path === root) throw rootVanished(root);
    else if (event.kind === 'unreadable' && event.path === root) throw rootUnreadable(root, event.error);
    const resting = pace.rest();
    if (resting) await resting;
  }
  return sum;
}

/** Reads and stores every file of a tree while the application may write to it. What it cannot read is left to the window. */
export async function prescanTree(tree: Tree, context: LookContext): Promise<void> {
  const { tools, pace, report, watch } = context;
  const { first, root, isExcluded } = tree;
  const names = new LinkedNames();
  const folders: number[] = [];
  for (const event of walk({ root, isExcluded, stat: tools.stat })) {
    switch (event.kind) {
      case 'found': {
        const row = rowOf(event.entry, { tree, tools, onNote: note => report.notes.add(note) });
        const at = first.add(row);
        if (row.broken) first.setUntaken(at);
        if (isFolder(row.stats)) folders.push(at);
        else if (isFile(row.stats)) await takeLive({ found: event.entry, at, names, table: first }, context);
        break;
      }
      case 'leave':
        first.endFolder(folders.pop()!);
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
        if (folder !== undefined) first.setUntaken(folder);
        break;
      }
      case 'same':
        break;
      default:
        event satisfies never;
    }
    const resting = pace.rest();
    if (resting) {
      await resting;
      watch.check();
    }
  }
}

async function takeLive(
  { found, at, names, table }: { found: Found; at: number; names: LinkedNames; table: EntryTable },
  context: LookContext,
): Promise<void> {
  const other = names.other(found.stats, { table, at });
  if (other !== undefined) {
    table.setXattrs(at, table.xattrs(other));
    table.shareContent(at, other);
    return;
  }
  const { clock } = context.tools;
  const startedMs = clock.monotonicMs();
  const taken = await takeFile(found.path, context.reader, {
    tries: liveTries,
    receive: stats => storing(stats, context),
  });
  context.onRead?.(clock.monotonicMs() - startedMs);
  if (taken.kind !== 'taken') {
    table.setUntaken(at);
    return;
  }
  table.setStats(at, taken.stats);
  table.setXattrs(at, taken.xattrs);
  table.setContent(at, taken.received);
  if (!taken.steady) table.setUntaken(at);
  context.onTaken(taken.received.length);
}
