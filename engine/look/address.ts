import { engineError } from '../errors.ts';
import { type BytePath, bytePath } from '../home/paths.ts';
import type { PairedRoot, Snapshot } from '../pair.ts';
import { pathsMeant, printable } from './names.ts';

/** A stored folder tree: the home, or one of its data stores. */
export interface StoredRoot extends PairedRoot {
  readonly isHome: boolean;
}

/** What a PATH may mean before anybody has looked: a path below a root, the database's, or all that there is. */
export type Address =
  | { readonly in: 'root'; readonly root: StoredRoot; readonly path: BytePath }
  | { readonly in: 'database'; readonly path: string }
  | { readonly in: 'snapshot' };

/** What stands before the names of what a database holds: `database:tables/public/comment`. */
export const databaseMark = 'database:';

export function rootsOf({ home }: Pick<Snapshot, 'home'>): StoredRoot[] {
  return (home?.roots ?? []).map((root, i) => ({ ...root, isHome: i === 0 }));
}

/** What a person may mean, likeliest first. PATH_UNKNOWN for an absolute path below no stored root, USAGE for `..`. */
export function addressesMeant(snapshot: Snapshot, text: string): Address[] {
  if (text.startsWith(databaseMark)) {
    const path = text.slice(databaseMark.length).replace(/^\/+|\/+$/g, '');
    return [{ in: 'database', path }];
  }
  const roots = rootsOf(snapshot);
  const [home] = roots;
  if (text === '/' && !roots.some(({ path }) => bytePath(path) === '/')) return [{ in: 'snapshot' }];
  const found = pathsMeant(text).flatMap((path): Address[] => {
    if (!path.startsWith('/')) return home ? [{ in: 'root', root: home, path: namesOf(path, text) }] : [];
    const whole = namesOf(path, text);
    const root = roots
      .filter(one => isBelow(whole, pathOfRoot(one)))
      .sort((a, b) => b.path.length - a.path.length)[0];
    return root ? [{ in: 'root', root, path: below(whole, pathOfRoot(root)) }] : [];
  });
  if (found.length > 0) return found;
  throw engineError('PATH_UNKNOWN', `Cannot find ${text}: it lies below no folder of the snapshot`, {
    remedy: home
      ? `A path is relative to the home, or lies below ${roots.map(nameOfRoot).join(' or ')}.`
      : 'The snapshot holds no home; what its database holds begins with `database:`.',
  });
}

/** As `/home/…`, for people. */
export const nameOfRoot = (root: PairedRoot): string => printable(bytePath(root.path));

const pathOfRoot = (root: PairedRoot): BytePath => bytePath(root.path).replace(/^\/+|\/+$/g, '') as BytePath;

const isBelow = (path: BytePath, root: BytePath): boolean =>
  root === '' || path === root || path.startsWith(`${root}/`);

const below = (path: BytePath, root: BytePath): BytePath =>
  (root === '' ? path : path.slice(root.length + 1)) as BytePath;

/** The names between slashes; `.` and empty ones say nothing, `..` is in no snapshot. */
function namesOf(path: BytePath, text: string): BytePath {
  const names = path.split('/').filter(name => name !== '' && name !== '.');
  if (!names.includes('..')) return names.join('/') as BytePath;
  throw engineError('USAGE', `Cannot take ${text}: it has a name that is ..`, {
    remedy: 'Write the path without it.',
  });
}
