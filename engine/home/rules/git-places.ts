import { type BytePath, join } from '../paths.ts';
import type { IsExcluded } from './exclude.ts';

/** Where in a Git repository a folder is; what Git leaves behind there after a crash differs. */
export type GitPlace = 'none' | 'repository' | 'refs' | 'objects';

/** A folder that holds these three is a Git repository. */
export const repositoryMarks = ['HEAD', 'objects', 'refs'] as const;

/** A bit for each of them. */
export const allMarks = (1 << repositoryMarks.length) - 1;

/** The place of a folder, from the place of the one above it. */
export function placeBelow(above: GitPlace, name: string): GitPlace {
  if (above === 'repository') return name === 'refs' || name === 'objects' ? name : 'none';
  return above;
}

/** True for what a killed Git process leaves behind: restored, it would block or clutter the repository. */
export function isGitLeftOver(place: GitPlace, name: string, folder: boolean): boolean {
  if (place === 'none') return false;
  if (!folder && name.endsWith('.lock')) return true;
  return place === 'repository' ? name === 'gc.pid' : place === 'objects' && name.startsWith('tmp_');
}

/** True for the small files that say where branches point. `relative` is below the home. */
export function isRefLike(place: GitPlace, name: string): boolean {
  return place === 'refs' || (place === 'repository' && (name === 'HEAD' || name === 'packed-refs'));
}

/**
 * True for the folders below `objects` whose files Git writes once, under another name, and never again: those of loose
 * objects, and that of packs. A new one, one that is gone, or another one in its place changes the times of the folder.
 */
export function isObjectFolder(name: string): boolean {
  return name === 'pack' || /^[0-9a-f]{2}$/.test(name);
}

/** True when the names that were not listed are left out by the rules, so that a folder may hold all three. */
export function mayBeRepository(
  relative: BytePath,
  { marks, isExcluded }: { marks: number; isExcluded: IsExcluded },
): boolean {
  if (marks === 0 || marks === allMarks) return false;
  return repositoryMarks.every(
    (mark, place) =>
      (marks & (1 << place)) !== 0 || isExcluded(join(relative, mark as BytePath), mark !== 'HEAD'),
  );
}
