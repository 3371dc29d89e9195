import { realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative } from 'node:path';
import { engineError } from '../../engine/index.ts';

/** A store below the home would be backed up into itself, and lost with it. CONFIG_INVALID. */
export function refuseStoreInHome(home: { readonly root: string } | null, store: string): void {
  if (!home || !isInside(store, home.root)) return;
  throw engineError('CONFIG_INVALID', `Cannot back up ${home.root}: the store ${store} lies inside it`, {
    remedy: 'Keep the store on another disk, at least outside the home.',
  });
}

/** What is restored into a store, or into the home that is backed up, becomes a part of it. USAGE. */
export function refuseTargetInside(
  target: string,
  places: { readonly store: string; readonly home: string | undefined },
): void {
  const { store, home } = places;
  const isLive = home !== undefined && isInside(target, home) && realPath(target) !== realPath(home);
  const found = isInside(target, store)
    ? `the store ${store}`
    : isLive
      ? `the configured home ${home}`
      : undefined;
  if (found === undefined) return;
  throw engineError('USAGE', `Cannot restore into ${target}: it lies inside ${found}`, {
    remedy: 'Name a folder outside of it, and move what you need from there.',
  });
}

function isInside(path: string, folder: string): boolean {
  if (path.includes('://') || folder.includes('://')) return false;
  const way = relative(realPath(folder), realPath(path));
  return !(way === '..' || way.startsWith('../') || isAbsolute(way));
}

/** Without links, also where the last part of a path is not there yet. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path); // not there: what is asked of the path will say so
    return parent === path ? path : join(realPath(parent), basename(path));
  }
}
