import { type Content, inlineBytesMax } from '../../../store/index.ts';
import { engineError } from '../../errors.ts';
import { type BytePath, shown } from '../paths.ts';
import { type EntryTable, isSettled, LinkedNames, type Look, origins } from '../rows/index.ts';
import { codeOf, type Receiver, takeFile } from '../system/read.ts';
import { isFile, isFolder, type Stats } from '../system/stat.ts';
import { type ClockWatch, type Found, lookAt, type WalkOptions, walk } from '../walk/index.ts';
import type { Pins } from './pinned.ts';
import type { LookContext } from './prescan.ts';
import { noteLeftOut, rootUnreadable, rootVanished, sentence } from './report.ts';
import { storing } from './storing.ts';
import {
  belowRoot,
  inlineContent,
  isLate,
  isMissingSubvolume,
  type KeptPart,
  rowOf,
  type Tree,
} from './tree.ts';
import { steadyRows, trustIn } from './trust.ts';

export interface CaptureContext extends LookContext {
  /** Bytes that may still be kept in memory; shared by all roots. */
  readonly budget: { left: number };
  /** What is held open rather than read. */
  readonly pins: Pins;
}

export interface Captured {
  /** What was taken: changed, or new. */
  readonly taken: number;
  /** Files that were read here and not by the pre-scan. */
  readonly read: number;
}

const windowTries = 3;

/**
 * Looks at a whole tree again inside the window. What is provably the same is only counted; the rest is read again, into
 * memory while the budget lasts.
 */
export async function captureTree(tree: Tree, context: CaptureContext): Promise<Captured> {
  const { tools, pace, report, watch } = context;
  const { again, order, scanned } = tree;
  const names = new LinkedNames();
  const isView = tools.takenMs !== undefined;
  const startedMs = tools.takenMs ?? tools.clock.monotonicMs();
  const counts = { taken: 0, read: 0 };
  watch.check();
  for (const event of walk(await walkOptions(tree, context))) {
    switch (event.kind) {
      case 'same':
        for (const { origin, table, from, to } of scanned.runs(event.from, event.to)) {
          order.push(origin, from, to);
          if (isView && origin === origins.first)
            for (let at = from; at < to; at++) settle(table, at, { tree, watch, startedMs });
        }
        break;
      case 'found': {
        const { entry } = event;
        checkMount(tree, entry);
        const row = rowOf(entry, { tree, tools, onNote: note => report.notes.add(note) });
        if (row.broken) {
          refuseLate(tree, entry);
          report.unreadable.push(sentence(entry.path, 'vanished inside the window'));
          if (!isFolder(row.stats)) break;
        }
        const at = again.add(row);
        order.push(origins.again, at, at + 1);
        if (!isFolder(row.stats)) counts.taken++;
        if (isFile(row.stats)) {
          const isRead = await takeInWindow({ found: entry, at, names }, { ...context, tree });
          if (isRead && !(entry.first !== undefined && scanned.isRead(entry.first))) counts.read++;
        }
        settle(again, at, { tree, watch, startedMs });
        if (isFile(row.stats) && isLate(tree, entry)) {
          again.setUnsettled(at); // no later run may trust it either
          tree.late.push({ path: belowRoot(tree.root, entry.path), bytes: again.state(at).size });
        }
        if (isMissingSubvolume(entry, { tree, tools })) {
          again.setUnsettled(at); // so that the next run looks, and says it, again
          report.unreadable.push(
            sentence(entry.path, 'is a subvolume of its own, which the view does not hold'),
          );
        }
        break;
      }
      case 'leave':
        break;
      case 'left-out':
        // the pre-scan counted what the rules leave out; in folders that changed it is met a second time
        if (event.why !== 'excluded' || scanned.count === 0) noteLeftOut(report, event);
        break;
      case 'vanished':
        if (event.path === tree.root) throw rootVanished(tree.root);
        refuseLate(tree, event);
        report.unreadable.push(sentence(event.path, 'vanished inside the window'));
        break;
      case 'unreadable':
        if (event.path === tree.root) throw rootUnreadable(tree.root, event.error);
        report.unreadable.push(sentence(event.path, `cannot be read (${codeOf(event.error) ?? 'unknown'})`));
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
  return counts;
}

/** A volume that came or went between the looks would show as a home that lost most of its files. */
function checkMount({ scanned, fileSystems }: Tree, { path, stats, first: at, depth }: Found): void {
  if (at === undefined || !isFolder(stats)) return;
  const isSameVolume = fileSystems.ordinalOfDevice(stats.dev) === scanned.fileSystem(at);
  if (isSameVolume && (depth > 0 || scanned.state(at).ino === stats.ino)) return;
  throw engineError(
    'HOME_UNREADABLE',
    `Cannot read ${shown(path)}: another folder is there than at the pre-scan`,
    {
      remedy: 'Check that its volume is mounted, and run again.',
    },
  );
}

async function walkOptions(tree: Tree, context: CaptureContext): Promise<WalkOptions> {
  const { scanned, root, isExcluded } = tree;
  const plain = { root, isExcluded, stat: context.tools.stat };
  if (scanned.count === 0) return plain;
  const trust = { ...context, isView: context.tools.takenMs !== undefined };
  const steady = await steadyRows({ scanned }, tree, trust);
  return { ...plain, first: scanned, isSame: trustIn(scanned, tree, trust), steady };
}

/** Returns whether its bytes were read. */
async function takeInWindow(
  { found, at, names }: { found: Found; at: number; names: LinkedNames },
  context: CaptureContext & { tree: Tree },
): Promise<boolean> {
  const { tree, report, reader } = context;
  const { again, kept, order } = tree;
  const other = names.other(found.stats, { table: again, at, kept });
  if (other !== undefined) {
    again.setXattrs(at, again.xattrs(other));
    const parts = kept.get(other);
    if (parts) kept.set(at, parts);
    else again.shareContent(at, other);
    return false;
  }
  // A view goes as soon as it was read, which an open file would hinder.
  const pinned = context.tools.takenMs === undefined ? context.pins.hold(found, reader) : undefined;
  if (pinned) {
    again.setStats(at, pinned.stats);
    again.setXattrs(at, pinned.xattrs);
    kept.set(at, [pinned]);
    context.onTaken(pinned.stats.size);
    return true;
  }
  const taken = await takeFile(found.path, reader, {
    tries: windowTries,
    receive: stats => keepingOrStoring(stats, context),
  });
  if (taken.kind !== 'taken') {
    refuseLate(tree, found);
    order.dropLast();
    const what =
      taken.kind === 'gone' ? 'vanished inside the window' : `cannot be read (${codeOf(taken.error)})`;
    report.unreadable.push(sentence(found.path, what));
    return false;
  }
  again.setStats(at, taken.stats);
  again.setXattrs(at, taken.xattrs);
  const { content, parts } = taken.received;
  if (content) again.setContent(at, content);
  if (parts) {
    kept.set(at, parts);
    context.budget.left -= bytesIn(parts);
  }
  context.onTaken(taken.stats.size);
  if (!taken.steady) {
    if (isLate(tree, found))
      throw notAtRest(found.path, 'it was written to while it was read inside the window');
    again.setUnsettled(at);
    report.notes.add(sentence(found.path, 'kept changing while it was read'));
  }
  return true;
}

/** A database that lacks a file is none. */
function refuseLate(tree: Tree, { path }: Pick<Found, 'path'>): void {
  if (isLate(tree, { path })) throw notAtRest(path, 'it cannot be read inside the window');
}

function notAtRest(path: BytePath, state: string): Error {
  return engineError('HOME_CHANGED', `Cannot back up the database in the home: ${shown(path)}: ${state}`, {
    remedy: 'Find out who writes to it while the application is at rest, or stop it: app.type: stopped.',
  });
}

/** What taking a file in the window gave: its place in the store, or its bytes. */
type Received =
  | { readonly content: Content; readonly parts?: undefined }
  | { readonly content?: undefined; readonly parts: readonly KeptPart[] };

function keepingOrStoring(stats: Stats, context: CaptureContext): Receiver<Received> {
  if (stats.size > context.budget.left && stats.size > inlineBytesMax) {
    const { bytes, hole, finish } = storing(stats, context);
    return { bytes, hole, finish: async () => ({ content: await finish() }) };
  }
  const parts: KeptPart[] = [];
  return {
    bytes(bytes) {
      parts.push(new Uint8Array(bytes));
      return undefined;
    },
    hole(length) {
      parts.push(length);
      return undefined;
    },
    finish() {
      const [only] = parts;
      if (only === undefined) return { content: inlineContent(new Uint8Array(0)) };
      const small = parts.length === 1 && only instanceof Uint8Array && only.length <= inlineBytesMax;
      return small ? { content: inlineContent(only) } : { parts };
    },
  };
}

const bytesIn = (parts: readonly KeptPart[]): number =>
  parts.reduce<number>((sum, part) => sum + (part instanceof Uint8Array ? part.length : 0), 0);

/**
 * Marks a row that a later run must not trust: it changed so shortly before the window, or in it, that another change
 * might not show. Counts from the window's start, which is before anything in it was looked at.
 */
function settle(
  table: EntryTable,
  at: number,
  { tree, watch, startedMs }: { tree: Tree; watch: ClockWatch; startedMs: number },
): void {
  const fileSystem = tree.fileSystems.get(table.fileSystem(at))!;
  const look: Look = fileSystem.cached ? fileSystem.look : lookAt(fileSystem.look, startedMs);
  if (!fileSystem.trusted || watch.wentBack || !isSettled(table.state(at), look)) table.setUnsettled(at);
}
