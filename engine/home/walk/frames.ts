import { readdirSync } from 'node:fs';
import { type BytePath, bytesOf, join } from '../paths.ts';
import { placeBelow, repositoryMarks } from '../rules/git-places.ts';
import type { FolderStat, Stats } from '../system/stat.ts';
import type { WalkOptions, Where } from './events.ts';
import { SiblingStream } from './siblings.ts';

/** A folder that the walk is in. */
export interface Frame extends Where {
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

/** Something in such a folder, and what was answered of it. */
export interface Child {
  readonly kind: 'child';
  readonly name: BytePath;
  readonly stats: Stats;
  /** Its row of the first look, if there was one with this name and kind. */
  readonly first: number | undefined;
}

function framed(child: Pick<Child, 'name'>, above: Frame | undefined, { root }: WalkOptions) {
  const path = above ? join(above.path, child.name) : root;
  const relative = above ? join(above.relative, child.name) : ('' as BytePath);
  return { path, relative, depth: above ? above.depth + 1 : 0 };
}

/** A folder that is as it was: its children are those of the first look. */
export function openKnown(
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

/** A folder that is listed anew. */
export function openLive(
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
