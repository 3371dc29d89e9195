import { type BytePath, compareSiblings, join } from '../paths.ts';
import type { KnownRows } from '../rows/index.ts';
import { isGitLeftOver } from '../rules/git-places.ts';
import type { SteadyRows } from '../steady/index.ts';
import { isFolder, kindMask, kinds, type Stats } from '../system/stat.ts';
import type { Found, WalkEvent, WalkOptions, Where } from './events.ts';
import { type Child, type Frame, openKnown, openLive } from './frames.ts';
import type { SiblingStream } from './siblings.ts';

/** The next rows of the first look with all that is below them: they hold. */
interface Span {
  readonly kind: 'span';
  readonly from: number;
  readonly to: number;
}

/** A folder of the first look that holds, with something below it about which nothing is known yet. */
interface SteadyFolder {
  readonly kind: 'steady-folder';
  readonly name: BytePath;
  readonly first: number;
}

/** A caller that hears of nothing but sameness must be able to rest now and then. */
const sameMax = 64;

/**
 * Walks a folder tree in listing order: children by the bytes of their names, a folder's as if it ended in a slash, each
 * folder before what is in it. Given an earlier look, walks both at once and reads only folders that may have changed.
 * Links are never followed. Synchronous; the caller rests between events.
 */
export function* walk(options: WalkOptions): Generator<WalkEvent, void> {
  const stack: Frame[] = [];
  const same = { from: 0, to: 0 };
  let met: Step | undefined = meetRoot(options);
  let frame: Frame | undefined;
  try {
    for (;;) {
      const still = met && stillOf(met, frame, options);
      const goesOn = met ? still === same.to && same.to - same.from < sameMax : !frame?.live;
      if (same.to > same.from && !goesOn) {
        yield { kind: 'same', ...same };
        same.from = same.to;
      }
      if (!met) {
        stack.pop();
        frame!.stat.close();
        if (frame!.live) yield { kind: 'leave' };
      } else if (met.kind === 'span') {
        if (same.to === same.from) same.from = met.from;
        same.to = met.to;
      } else if (met.kind === 'steady-folder') {
        if (same.to === same.from) same.from = met.first;
        same.to = met.first + 1;
        stack.push(openKnown(met, frame, options).opened);
      } else if (met.kind !== 'child') {
        yield met;
      } else {
        if (still !== undefined) {
          if (same.to === same.from) same.from = still;
          same.to = still + 1;
        }
        if (isFolder(met.stats)) {
          const { opened, error } =
            still !== undefined ? openKnown(met, frame, options) : openLive(met, frame, options);
          stack.push(opened);
          if (still === undefined)
            yield { kind: 'found', entry: foundFrom(met, frame, { path: opened.path, place: opened.place }) };
          if (error) yield { kind: 'unreadable', path: opened.path, error };
        } else if (still === undefined) {
          yield {
            kind: 'found',
            entry: foundFrom(met, frame, { path: join(frame!.path, met.name), place: frame!.place }),
          };
        }
      }
      frame = stack.at(-1);
      if (!frame) break;
      met = frame.live ? nextLive(frame, frame.live, options) : nextKnown(frame, options);
    }
    if (same.to > same.from) yield { kind: 'same', ...same };
  } finally {
    for (const left of stack) left.stat.close();
  }
}

type Step = Child | Span | SteadyFolder | WalkEvent;

function meetRoot({ root, stat, first, steady }: WalkOptions): Step {
  if (first && steady?.has(0)) {
    if (steady.nextDoubt(0) === first.count) return { kind: 'span', from: 0, to: first.count };
    return { kind: 'steady-folder', name: '' as BytePath, first: 0 };
  }
  const stats = stat.path(root);
  if (!stats) return { kind: 'vanished', path: root };
  return {
    kind: 'child',
    name: '' as BytePath,
    stats,
    first: first && first.count > 0 ? 0 : undefined,
  };
}

/** The first row of the first look that goes on with this step. */
function stillOf(met: Step, frame: Frame | undefined, options: WalkOptions): number | undefined {
  if (met.kind === 'span') return met.from;
  if (met.kind === 'steady-folder') return met.first;
  return met.kind === 'child' && isStill(met, frame, options) ? met.first : undefined;
}

/** Field by field: there is one for each new file, and to spread an object takes ten times as long. */
const foundFrom = ({ name, stats, first }: Child, frame: Frame | undefined, where: Where): Found => ({
  path: where.path,
  name,
  depth: frame ? frame.depth + 1 : 0,
  stats,
  place: where.place,
  first,
});

function isStill(
  { first: at, stats }: Child,
  frame: Frame | undefined,
  { first, isSame, root }: WalkOptions,
): boolean {
  if (at === undefined || !first || !isSame) return false;
  if ((first.mode(at) & kindMask) !== (stats.mode & kindMask)) return false;
  return isSame(at, stats, frame ?? { path: root, place: 'none' });
}

/** The next child of a folder that may have changed, matched with the row of the first look that has its name. */
function nextLive(frame: Frame, live: SiblingStream, options: WalkOptions): Step | undefined {
  const met = live.next();
  if (met?.kind !== 'met') return met;
  const { name, stats } = met;
  const folder = isFolder(stats);
  const why = whyLeftOut(met, { frame, folder }, options);
  if (why) return { kind: 'left-out', path: join(frame.path, name), why };
  return { kind: 'child', name, stats, first: matchKnown(frame, { name, folder }, options.first) };
}

function whyLeftOut(
  { name, stats }: { name: BytePath; stats: Stats },
  { frame, folder }: { frame: Frame; folder: boolean },
  { isExcluded }: WalkOptions,
): 'excluded' | 'socket' | 'git' | undefined {
  if (isGitLeftOver(frame.place, name, folder)) return 'git';
  if (isExcluded(join(frame.relative, name), folder)) return 'excluded';
  return (stats.mode & kindMask) === kinds.socket ? 'socket' : undefined;
}

/** Moves past the rows of what is gone, up to this name. */
function matchKnown(
  frame: Frame,
  child: { name: BytePath; folder: boolean },
  first: KnownRows | undefined,
): number | undefined {
  while (first && frame.next < frame.end) {
    const at = frame.next;
    const order = compareSiblings({ name: first.name(at), folder: first.isFolder(at) }, child);
    if (order > 0) return undefined;
    frame.next = first.endOf(at);
    if (order === 0) return at;
  }
  return undefined;
}

/** The next children that hold with all that is below them, as many as there are. */
function spanFrom({ next, end }: Frame, first: KnownRows, steady: SteadyRows): Span | undefined {
  const doubt = steady.nextDoubt(next);
  if (doubt >= end) return { kind: 'span', from: next, to: end };
  let to = next;
  for (let more = first.endOf(to); to < end && more <= doubt; more = first.endOf(to)) to = more;
  return to > next ? { kind: 'span', from: next, to } : undefined;
}

/** The next child of a folder that is as it was. */
function nextKnown(frame: Frame, { first, steady }: WalkOptions): Step | undefined {
  if (!first || frame.next >= frame.end) return undefined;
  const at = frame.next;
  if (steady?.has(at)) {
    const span = spanFrom(frame, first, steady);
    frame.next = span?.to ?? first.endOf(at);
    return span ?? { kind: 'steady-folder', name: first.name(at), first: at };
  }
  frame.next = first.endOf(at);
  const name = first.name(at);
  try {
    const stats = frame.stat.stat(name);
    if (stats && isFolder(stats) === first.isFolder(at)) return { kind: 'child', name, stats, first: at };
    return { kind: 'vanished', path: join(frame.path, name) }; // gone, or another thing since its folder was looked at
  } catch (error) {
    return { kind: 'unreadable', path: join(frame.path, name), error, inside: frame.row };
  }
}
