import { closeSync } from 'node:fs';
import { type Content, inlineBytesMax } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import { isRefLike } from './leftovers.ts';
import { LinkedNames } from './links.ts';
import { lookNow } from './look.ts';
import { type BytePath, join, shown } from './paths.ts';
import type { LookContext } from './prescan.ts';
import { codeOf, openForReading, type Receiver, takeFile } from './read.ts';
import { noteLeftOut, rootUnreadable, rootVanished, sentence } from './report.ts';
import { isFile, isFolder, type Stats } from './stat.ts';
import type { IsSame, Look } from './states.ts';
import { isSame as isProvablySame, isSettled } from './states.ts';
import { storing } from './storing.ts';
import { inlineContent, type KeptPart, rowOf, type Tree } from './tree.ts';
import { type Found, type WalkOptions, walk } from './walk.ts';

export interface CaptureContext extends LookContext {
  readonly isSame: IsSame;
  /** Bytes that may still be kept in memory; shared by all roots. */
  readonly budget: { left: number };
}

const windowTries = 3;

/**
 * Looks at a whole tree again inside the window. What is provably the same is only counted; the rest is read again, into
 * memory while the budget lasts. Returns how many files were taken.
 */
export async function captureTree(tree: Tree, context: CaptureContext): Promise<number> {
  const { tools, pace, report, watch } = context;
  const { again, order } = tree;
  const names = new LinkedNames();
  const folders: number[] = [];
  let taken = 0;
  watch.check();
  for (const event of walk(walkOptions(tree, context))) {
    switch (event.kind) {
      case 'same':
        order.push({ again: false, from: event.from, to: event.to });
        break;
      case 'found': {
        const { entry } = event;
        checkMount(tree, entry);
        const row = rowOf(entry, { tree, tools, onNote: note => report.notes.add(note) });
        if (row.broken) {
          report.unreadable.push(sentence(entry.path, 'vanished inside the window'));
          if (!isFolder(row.stats)) break;
        }
        const at = again.add(row);
        order.push({ again: true, from: at, to: at + 1 });
        if (isFolder(row.stats)) folders.push(at);
        else taken++;
        if (isFile(row.stats)) await takeInWindow({ found: entry, at, names }, { ...context, tree });
        settle(tree, at, context);
        break;
      }
      case 'leave':
        again.endFolder(folders.pop()!);
        break;
      case 'left-out':
        // the pre-scan counted what the rules leave out; in folders that changed it is met a second time
        if (event.why !== 'excluded' || tree.first.count === 0) noteLeftOut(report, event);
        break;
      case 'vanished':
        if (event.path === tree.root) throw rootVanished(tree.root);
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
  return taken;
}

/** A volume that came or went between the looks would show as a home that lost most of its files. */
function checkMount({ first, fileSystems }: Tree, { path, stats, first: at, depth }: Found): void {
  if (at === undefined || !isFolder(stats)) return;
  const isSameVolume =
    fileSystems.has(stats.dev) && fileSystems.ordinalOf(path, stats) === first.fileSystem(at);
  if (isSameVolume && (depth > 0 || first.state(at).ino === stats.ino)) return;
  throw engineError(
    'HOME_UNREADABLE',
    `Cannot read ${shown(path)}: another folder is there than at the pre-scan`,
    {
      remedy: 'Check that its volume is mounted, and run again.',
    },
  );
}

function walkOptions(tree: Tree, context: CaptureContext): WalkOptions {
  const { tools, watch } = context;
  const { first, fileSystems, root, isExcluded } = tree;
  const isSame: WalkOptions['isSame'] = (at, now, where) => {
    if (first.isUntaken(at) || watch.wentBack) return false;
    const fileSystem = fileSystems.get(first.fileSystem(at));
    if (!fileSystem.trusted) return false;
    let seen: Stats | undefined = now;
    if (fileSystem.cached) {
      if (isFolder(now) || isRefLike(where.place, first.name(at))) return false;
      if (isFile(now)) seen = seenThroughOpen(join(where.path, first.name(at)), context);
      if (!seen) return false;
    }
    const state = { ...seen, size: isFile(seen) ? seen.size : 0 };
    const decide = isFile(seen) ? context.isSame : isProvablySame;
    return decide(first.state(at), state, fileSystem.look);
  };
  return { root, isExcluded, stat: tools.stat, first: first.count > 0 ? first : undefined, isSame };
}

/** Opening a file makes a network file system ask its server. */
function seenThroughOpen(path: BytePath, { tools }: CaptureContext): Stats | undefined {
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

async function takeInWindow(
  { found, at, names }: { found: Found; at: number; names: LinkedNames },
  context: CaptureContext & { tree: Tree },
): Promise<void> {
  const { tree, report, reader } = context;
  const { again, kept, order } = tree;
  const other = names.other(found.stats, { table: again, at, kept });
  if (other !== undefined) {
    again.setXattrs(at, again.xattrs(other));
    const parts = kept.get(other);
    if (parts) kept.set(at, parts);
    else again.shareContent(at, other);
    return;
  }
  const taken = await takeFile(found.path, reader, {
    tries: windowTries,
    receive: stats => keepingOrStoring(stats, context),
  });
  if (taken.kind !== 'taken') {
    order.dropLast();
    const what =
      taken.kind === 'gone' ? 'vanished inside the window' : `cannot be read (${codeOf(taken.error)})`;
    report.unreadable.push(sentence(found.path, what));
    return;
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
    again.setUnsettled(at);
    report.notes.add(sentence(found.path, 'kept changing while it was read'));
  }
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
      const small = parts.length === 1 && typeof only !== 'number' && only.length <= inlineBytesMax;
      return small ? { content: inlineContent(only) } : { parts };
    },
  };
}

const bytesIn = (parts: readonly KeptPart[]): number =>
  parts.reduce<number>((sum, part) => sum + (typeof part === 'number' ? 0 : part.length), 0);

/** Marks a row that a later run must not trust: it changed so shortly before that another change would not show. */
function settle(tree: Tree, at: number, { tools, watch }: CaptureContext): void {
  const fileSystem = tree.fileSystems.get(tree.again.fileSystem(at));
  const look: Look = fileSystem.cached ? fileSystem.look : lookNow(fileSystem.look, tools.clock);
  if (!fileSystem.trusted || watch.wentBack || !isSettled(tree.again.state(at), look)) {
    tree.again.setUnsettled(at);
  }
}
