import { resolve } from 'node:path';
import type { ChunkSource } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import type { Selected } from '../home/index.ts';
import { bytePath, bytePathOfText } from '../home/paths.ts';
import { nameOfRoot, rootsOf, type StoredRoot } from '../look/address.ts';
import { findPath } from '../look/find.ts';
import { withBorrowed } from '../look/repositories.ts';
import type { Snapshot } from '../pair.ts';

/** What a person wants of a home, and where. */
export interface HomeWish {
  /** Where the home goes. */
  readonly home: string;
  /** Only what lies at these paths. */
  readonly paths?: readonly string[] | undefined;
  /** Only the folders of these repositories, and of those that they borrow objects from. */
  readonly repositories?: readonly string[] | undefined;
  /** `OLD=NEW`: where each data store goes. */
  readonly map?: readonly string[] | undefined;
  /** What a relative NEW is from. */
  readonly cwd?: string | undefined;
}

/** One root of a home on its way to its place. */
export interface HomePart {
  readonly root: StoredRoot;
  readonly target: string;
  /** All of it unless given. */
  readonly selected?: readonly Selected[] | undefined;
}

export interface HomeParts {
  /** The home first, if anything of it is wanted. */
  readonly parts: readonly HomePart[];
  /** Data stores that have no place. */
  readonly left: readonly string[];
  /** What a person must know of what was chosen. */
  readonly notes: readonly string[];
  /** The choice in one line of text; empty when it is all. */
  readonly selection: string;
}

/** What goes where. USAGE, PATH_UNKNOWN. */
export async function homeParts(
  source: ChunkSource,
  { snapshot, wish }: { readonly snapshot: Snapshot; readonly wish: HomeWish },
): Promise<HomeParts> {
  const roots = rootsOf(snapshot);
  const places = placesOf(roots, wish);
  const { paths = [], repositories = [] } = wish;
  if (paths.length === 0 && repositories.length === 0) {
    const parts = [...places].map(([root, target]) => ({ root, target }));
    const left = roots.filter(root => !places.has(root)).map(nameOfRoot);
    const notes = parts.slice(1).map(movedNote);
    return { parts, left, notes, selection: '' };
  }
  const chosen = new Map<StoredRoot, Selected[]>();
  const choose = (root: StoredRoot, entry: Selected) => {
    if (!places.has(root)) throw needsPlace(root);
    chosen.set(root, [...(chosen.get(root) ?? []), { path: entry.path, kind: entry.kind }]);
  };
  for (const text of paths) {
    const found = await findPath(source, { snapshot, text });
    if (found.in !== 'root') throw noFile(text);
    choose(roots.find(({ path }) => path === found.root.path)!, found.entry);
  }
  const borrowed = await withBorrowed(source, { roots, ids: repositories, targets: places });
  for (const { root, entry } of borrowed.folders) choose(root, entry);
  const parts = roots.flatMap((root): HomePart[] => {
    const selected = chosen.get(root);
    return selected ? [{ root, target: places.get(root)!, selected }] : [];
  });
  const selection = JSON.stringify({ paths, repositories });
  return { parts, left: [], notes: borrowed.notes, selection };
}

const movedNote = ({ root, target }: HomePart): string =>
  `Data store ${nameOfRoot(root)} was restored to ${target}: set the application, or the links that lead there, to it.`;

function placesOf(
  roots: readonly StoredRoot[],
  { home, map = [], cwd = '/' }: HomeWish,
): Map<StoredRoot, string> {
  const places = new Map<StoredRoot, string>();
  const [first] = roots;
  if (!first) {
    throw engineError('USAGE', 'Cannot restore the home: the snapshot holds none', {
      remedy: 'Restore the database with --only database.',
    });
  }
  places.set(first, home);
  for (const text of map) {
    const { root, target } = mapped(roots, text);
    if (places.has(root)) {
      const problem = root.isHome ? 'the home goes where --home says' : 'it has two places';
      throw engineError('USAGE', `Cannot map ${nameOfRoot(root)}: ${problem}`, {
        remedy: 'Give --map OLD=NEW once for each data store.',
      });
    }
    places.set(root, resolve(cwd, target));
  }
  const targets = [...places.values()];
  for (const [i, target] of targets.entries()) {
    const other = targets.find((one, j) => j !== i && `${target}/`.startsWith(`${one}/`));
    if (other === undefined) continue;
    throw engineError('USAGE', `Cannot restore into ${target}: it lies in ${other}, which is restored, too`, {
      remedy: 'Give each data store a folder outside of the others.',
    });
  }
  return places;
}

/** OLD is a stored root, so an `=` in either path does no harm. */
function mapped(roots: readonly StoredRoot[], text: string): { root: StoredRoot; target: string } {
  const bytes = bytePathOfText(text);
  const found = roots
    .map(root => ({ root, old: bytePath(root.path).replace(/\/+$/, '') }))
    .filter(({ old }) => bytes.startsWith(`${old}=`) || bytes.startsWith(`${old}/=`))
    .sort((a, b) => b.old.length - a.old.length)[0];
  const target =
    found && text.slice(text.indexOf('=', Buffer.from(found.old, 'latin1').toString('utf8').length) + 1);
  if (found && target) return { root: found.root, target };
  const stores = roots.filter(root => !root.isHome).map(nameOfRoot);
  throw engineError('USAGE', `Cannot map ${text}: it names no data store of the snapshot, or no new place`, {
    remedy:
      stores.length > 0
        ? `Give it as ${stores.map(store => `${store}=NEW`).join(' or ')}.`
        : 'The snapshot has no data stores: leave --map out.',
  });
}

const needsPlace = (root: StoredRoot): Error =>
  engineError('USAGE', `Cannot restore from data store ${nameOfRoot(root)}: it has no place`, {
    remedy: `Give it one with --map ${nameOfRoot(root)}=NEW.`,
  });

const noFile = (text: string): Error =>
  engineError('USAGE', `Cannot restore ${text}: it is no file and no folder of the home`, {
    remedy: 'Tables are restored with the whole database; `stillpoint cat` prints the rows of one.',
  });
