import { readdirSync } from 'node:fs';
import type { IsExcluded } from './exclude.ts';
import { type GitPlace, isGitLeftOver, placeBelow, repositoryMarks } from './leftovers.ts';
import { type BytePath, bytesOf, compareSiblings, join } from './paths.ts';
import { isFolder, kindMask, kinds, type StatCalls, type Stats } from './stat.ts';
import type { EntryTable } from './table.ts';

/** Something the walk met that its caller has to act upon. Paths are absolute. */
export type WalkEvent =
  /** New, or not provably the same as at the first look. A folder's rows follow until its `leave`. */
  | { readonly kind: 'found'; readonly entry: Found }
  /** Everything below the folder that was entered last, and not left yet, has been told. */
  | { readonly kind: 'leave' }
  /** A row of the first look that still holds; its rows below follow one by one. */
  | { readonly kind: 'same'; readonly at: number }
  | { readonly kind: 'left-out'; readonly path: BytePath; readonly why: 'excluded' | 'socket' | 'git' }
  /** Was listed, and is gone. */
  | { readonly kind: 'vanished'; readonly path: BytePath }
  | { readonly kind: 'unreadable'; readonly path: BytePath; readonly error: unknown };

export interface Found {
  readonly path: BytePath;
  readonly name: BytePath;
  readonly depth: number;
  readonly stats: Stats;
  /** Where the folder is, or the file's folder. */
  readonly place: GitPlace;
  /** The row of the first look with this name and kind, if there was one. */
  readonly first: number | undefined;
}

export interface WalkOptions {
  readonly root: BytePath;
  readonly stat: StatCalls;
  readonly isExcluded: IsExcluded;
  /** An earlier look; without one everything is found. */
  readonly first?: EntryTable | undefined;
  /** Decides whether a row of the first look still holds. Never asked for rows of another kind. */
  readonly isSame?:
    | ((at: number, now: Stats, where: { path: BytePath; place: GitPlace }) => boolean)
    | undefined;
}

interface Frame {
  readonly path: BytePath;
  /** Below the root, without a slash at either end. */
  readonly relative: BytePath;
  readonly depth: number;
  readonly place: GitPlace;
  /** Undefined: the folder is as it was, so its children are those of the first look. */
  readonly live: SiblingStream | undefined;
  /** The rows of the first look below this folder that have not been met yet. */
  next: number;
  readonly end: number;
  readonly told: boolean;
}

/**
 * Walks a folder tree in listing order: children by the bytes of their names, a folder's as if it ended in a slash, each
 * folder before what is in it. Given an earlier look, walks both at once and reads only folders that may have changed.
 * Links are never followed. Synchronous; the caller rests between events.
 */
export function* walk(options: WalkOptions): Generator<WalkEvent, void> {
  const { root, stat, first } = options;
  const stats = stat.path(root);
  if (!stats) {
    yield { kind: 'vanished', path: root };
    return;
  }
  const empty = '' as BytePath;
  const stack: Frame[] = [];
  const start = { path: root, relative: empty, name: empty, depth: 0, stats, above: 'none' as GitPlace };
  yield* enter(stack, { ...start, first: first && first.count > 0 ? 0 : undefined }, options);
  for (let frame = stack.at(-1); frame; frame = stack.at(-1)) {
    const child = frame.live ? yield* nextLive(frame, options) : yield* nextKnown(frame, options);
    if (!child) {
      stack.pop();
      if (frame.told) yield { kind: 'leave' };
    } else if (isFolder(child.stats)) {
      yield* enter(stack, { ...child, above: frame.place }, options);
    } else if (child.first !== undefined && isStill(child, frame.place, options)) {
      yield { kind: 'same', at: child.first };
    } else {
      yield { kind: 'found', entry: { ...child, place: frame.place } };
    }
  }
}

interface Child {
  readonly path: BytePath;
  readonly relative: BytePath;
  readonly name: BytePath;
  readonly depth: number;
  readonly stats: Stats;
  readonly first: number | undefined;
}

function isStill(child: Child, place: GitPlace, { first, isSame }: WalkOptions): boolean {
  if (child.first === undefined || !first || !isSame) return false;
  if ((first.mode(child.first) & kindMask) !== (child.stats.mode & kindMask)) return false;
  return isSame(child.first, child.stats, { path: child.path, place });
}

/** Tells of a folder and puts it on the stack. */
function* enter(
  stack: Frame[],
  folder: Child & { readonly above: GitPlace },
  options: WalkOptions,
): Generator<WalkEvent, void> {
  const { first } = options;
  const { path, relative, depth } = folder;
  const at = folder.first;
  const known = at !== undefined && first ? { next: at + 1, end: first.endOf(at) } : { next: 0, end: 0 };
  if (at !== undefined && first && isStill(folder, folder.above, options)) {
    yield { kind: 'same', at };
    stack.push({ path, relative, depth, place: first.place(at), live: undefined, ...known, told: false });
    return;
  }
  let names: BytePath[] = [];
  let error: unknown;
  try {
    names = (readdirSync(bytesOf(path), { encoding: 'latin1' }) as BytePath[]).sort();
  } catch (thrown) {
    error = thrown;
  }
  const inherited = placeBelow(folder.above, folder.name);
  const place = inherited === 'none' && isRepository(names) ? 'repository' : inherited;
  yield { kind: 'found', entry: { ...folder, place } };
  if (error) yield { kind: 'unreadable', path, error };
  const live = new SiblingStream(names, { path, stat: options.stat });
  stack.push({ path, relative, depth, place, live, ...known, told: true });
}

function isRepository(names: readonly BytePath[]): boolean {
  return repositoryMarks.every(mark => names.includes(mark as BytePath));
}

/** The next child of a folder that may have changed, matched with the row of the first look that has its name. */
function* nextLive(frame: Frame, options: WalkOptions): Generator<WalkEvent, Child | undefined> {
  for (let met = frame.live!.next(); met; met = frame.live!.next()) {
    const { name, path } = met;
    if (met.kind !== 'met') {
      yield met.kind === 'vanished'
        ? { kind: 'vanished', path }
        : { kind: 'unreadable', path, error: met.error };
      continue;
    }
    const folder = isFolder(met.stats);
    const relative = join(frame.relative, name);
    const why = whyLeftOut(met, { place: frame.place, relative, folder }, options);
    if (why) {
      yield { kind: 'left-out', path, why };
      continue;
    }
    const first = matchKnown(frame, { name, folder }, options.first);
    return { path, relative, name, depth: frame.depth + 1, stats: met.stats, first };
  }
  return undefined;
}

function whyLeftOut(
  { name, stats }: { name: BytePath; stats: Stats },
  { place, relative, folder }: { place: GitPlace; relative: BytePath; folder: boolean },
  { isExcluded }: WalkOptions,
): 'excluded' | 'socket' | 'git' | undefined {
  if (isGitLeftOver(place, name, folder)) return 'git';
  if (isExcluded(relative, folder)) return 'excluded';
  return (stats.mode & kindMask) === kinds.socket ? 'socket' : undefined;
}

/** Moves past the rows of what is gone, up to this name. */
function matchKnown(
  frame: Frame,
  child: { name: BytePath; folder: boolean },
  first: EntryTable | undefined,
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

/** The next child of a folder that is as it was. */
function* nextKnown(frame: Frame, { stat, first }: WalkOptions): Generator<WalkEvent, Child | undefined> {
  while (first && frame.next < frame.end) {
    const at = frame.next;
    frame.next = first.endOf(at);
    const name = first.name(at);
    const path = join(frame.path, name);
    let stats: Stats | undefined;
    try {
      stats = stat.path(path);
    } catch (error) {
      yield { kind: 'unreadable', path, error };
      continue;
    }
    if (stats) {
      if (isFolder(stats) === first.isFolder(at)) {
        return { path, relative: join(frame.relative, name), name, depth: frame.depth + 1, stats, first: at };
      }
    }
    yield { kind: 'vanished', path }; // gone, or another thing since its folder was looked at
  }
  return undefined;
}

type Met =
  | { readonly kind: 'met'; readonly name: BytePath; readonly path: BytePath; readonly stats: Stats }
  | { readonly kind: 'vanished'; readonly name: BytePath; readonly path: BytePath }
  | {
      readonly kind: 'unreadable';
      readonly name: BytePath;
      readonly path: BytePath;
      readonly error: unknown;
    };

/**
 * Children in listing order from names in byte order. A folder `a` comes after `a-b` and `a.txt`, as `a/` does: it is
 * held back while names follow that begin with `a` and go on with a byte below the slash.
 */
class SiblingStream {
  #names: readonly BytePath[];
  #folder: { path: BytePath; stat: StatCalls };
  #next = 0;
  #held: (Met & { kind: 'met' })[] = [];

  constructor(names: readonly BytePath[], folder: { path: BytePath; stat: StatCalls }) {
    this.#names = names;
    this.#folder = folder;
  }

  next(): Met | undefined {
    for (;;) {
      const held = this.#held.at(-1);
      const name = this.#names[this.#next];
      if (held && !(name && comesBefore(name, held.name))) return this.#held.pop();
      if (name === undefined) return undefined;
      this.#next++;
      const met = this.#meet(name);
      if (met.kind !== 'met' || !isFolder(met.stats)) return met;
      this.#held.push(met);
    }
  }

  #meet(name: BytePath): Met {
    const path = join(this.#folder.path, name);
    try {
      const stats = this.#folder.stat.path(path);
      return stats ? { kind: 'met', name, path, stats } : { kind: 'vanished', name, path };
    } catch (error) {
      return { kind: 'unreadable', name, path, error };
    }
  }
}

const slash = 0x2f;
const comesBefore = (name: BytePath, folder: BytePath): boolean =>
  name.length > folder.length && name.charCodeAt(folder.length) < slash && name.startsWith(folder);
