import { readdirSync } from 'node:fs';
import { type BytePath, bytesOf, compareSiblings, join } from '../paths.ts';
import type { KnownRows } from '../rows/sequence.ts';
import type { IsExcluded } from '../rules/exclude.ts';
import { type GitPlace, isGitLeftOver, placeBelow, repositoryMarks } from '../rules/git-places.ts';
import type { SteadyRows } from '../steady/find.ts';
import { type FolderStat, isFolder, kindMask, kinds, type StatCalls, type Stats } from '../system/stat.ts';
import { SiblingStream } from './siblings.ts';

/** Something the walk met that its caller has to act upon. Paths are absolute. */
export type WalkEvent =
  /** New, or not provably the same as at the first look. What is in a folder follows until its `leave`. */
  | { readonly kind: 'found'; readonly entry: Found }
  /** Everything below the folder that was found last, and not left yet, has been told. */
  | { readonly kind: 'leave' }
  /** Rows of the first look that still hold, from one up to and without the other; folders before what is in them. */
  | { readonly kind: 'same'; readonly from: number; readonly to: number }
  | { readonly kind: 'left-out'; readonly path: BytePath; readonly why: 'excluded' | 'socket' | 'git' }
  /** Was listed, and is gone. */
  | { readonly kind: 'vanished'; readonly path: BytePath }
  | {
      readonly kind: 'unreadable';
      readonly path: BytePath;
      readonly error: unknown;
      /** The row of its folder, when that is one of the first look's that still holds. */
      readonly inside?: number | undefined;
    };

export interface Found {
  readonly path: BytePath;
  readonly name: BytePath;
  readonly depth: number;
  readonly stats: Stats;
  /** Where the folder is, or the file's folder. */
  readonly place: GitPlace;
  /** Its row of the first look, if there was one with this name and kind. */
  readonly first: number | undefined;
}

/** The folder in which something was met. */
export interface Where {
  readonly path: BytePath;
  readonly place: GitPlace;
}

export interface WalkOptions {
  readonly root: BytePath;
  readonly stat: StatCalls;
  readonly isExcluded: IsExcluded;
  /** An earlier look; without one everything is found. */
  readonly first?: KnownRows | undefined;
  /** Decides whether a row of the first look still holds. Never asked about a thing of another kind. */
  readonly isSame?: ((at: number, now: Stats, where: Where) => boolean) | undefined;
  /** Rows of the first look about which this was asked already: they hold. */
  readonly steady?: SteadyRows | undefined;
}

interface Frame extends Where {
  /** Below the root, without a slash at either end. */
  readonly relative: BytePath;
  readonly depth: number;
  /** Undefined: the folder is as it was, so its children are those of the first look. */
  readonly live: SiblingStream | undefined;
  readonly stat: FolderStat;
  /** Its row of the first look, where `live` is undefined. */
  readonly row?: number | undefined;
  /** The rows of the first look below this folder that have not been met yet. */
  next: number;
  readonly end: number;
}

interface Child {
  readonly kind: 'child';
  readonly name: BytePath;
  readonly stats: Stats;
  /** Its row of the first look, if there was one with this name and kind. */
  readonly first: number | undefined;
}

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

function framed(child: Pick<Child, 'name'>, above: Frame | undefined, { root }: WalkOptions) {
  const path = above ? join(above.path, child.name) : root;
  const relative = above ? join(above.relative, child.name) : ('' as BytePath);
  return { path, relative, depth: above ? above.depth + 1 : 0 };
}

/** A folder that is as it was: its children are those of the first look. */
function openKnown(
  child: Pick<Child, 'name' | 'first'>,
  above: Frame | undefined,
  options: WalkOptions,
): { opened: Frame; error?: unknown } {
  const { first, stat } = options;
  const at = child.first!;
  const end = first!.endOf(at);
  const frame = framed(child, above, options);
  const inherited = placeBelow(above?.place ?? 'none', child.name);
  const place = inherited === 'none' && first!.place(at) === 'repository' ? 'repository' : inherited;
  const opened = {
    ...frame,
    place,
    live: undefined,
    row: at,
    stat: stat.folder(frame.path, {
      questions: end - at - 1,
      isKnown: true,
      above: above && { stat: above.stat, name: child.name },
    }),
    next: at + 1,
    end,
  };
  return { opened };
}

function openLive(
  child: Child,
  above: Frame | undefined,
  options: WalkOptions,
): { opened: Frame; error?: unknown } {
  const { first, stat } = options;
  const { path, relative, depth } = framed(child, above, options);
  let names: BytePath[] = [];
  let error: unknown;
  try {
    names = (readdirSync(bytesOf(path), { encoding: 'latin1' }) as BytePath[]).sort();
  } catch (thrown) {
    error = thrown;
  }
  const inherited = placeBelow(above?.place ?? 'none', child.name);
  const place = inherited === 'none' && isRepository(names) ? 'repository' : inherited;
  const folderStat = stat.folder(path, {
    questions: names.length,
    above: above && { stat: above.stat, name: child.name },
  });
  const live = new SiblingStream(names, { path, stat: folderStat });
  const at = first && child.first;
  const next = at === undefined ? 0 : at + 1;
  const end = at === undefined ? 0 : first!.endOf(at);
  // field by field, as in `foundFrom`
  return { opened: { path, relative, depth, place, live, stat: folderStat, next, end }, error };
}

function isRepository(names: readonly BytePath[]): boolean {
  return repositoryMarks.every(mark => names.includes(mark as BytePath));
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
