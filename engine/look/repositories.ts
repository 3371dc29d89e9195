import { posix } from 'node:path';
import type { ChunkSource } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import type { HomeEntry } from '../home/entries/entry.ts';
import { type BytePath, bytePath } from '../home/paths.ts';
import { contentBytes } from '../ingest/index.ts';
import { nearestFew } from '../nearest.ts';
import { nameOfRoot, type StoredRoot } from './address.ts';
import { findBelow } from './find.ts';
import { folderEntries } from './folder.ts';
import { printable } from './names.ts';

/** Where bare repositories lie, by their id: in a home of either layout, and in a data store. */
export const repositoryFolders = (root: StoredRoot): readonly BytePath[] =>
  (root.isHome
    ? ['shared/data/repositories', 'data/repositories']
    : ['repositories', 'data/repositories']) as BytePath[];

interface RepositoryFolder {
  readonly root: StoredRoot;
  readonly entry: HomeEntry;
}

/**
 * The folders of these repositories, and of all that they borrow objects from: without those Git cannot read them. Notes
 * say what came along, and which path in a repository does not lead to where it lies now. PATH_UNKNOWN.
 */
export async function withBorrowed(
  source: ChunkSource,
  {
    roots,
    ids,
    targets,
  }: {
    readonly roots: readonly StoredRoot[];
    readonly ids: readonly string[];
    readonly targets: ReadonlyMap<StoredRoot, string>;
  },
): Promise<{ readonly folders: readonly RepositoryFolder[]; readonly notes: readonly string[] }> {
  const folders: RepositoryFolder[] = [];
  for (const id of new Set(ids)) folders.push(await findRepository(source, { roots, id }));
  const notes: string[] = [];
  const known = new Set(folders.map(placeOf));
  for (const folder of folders) {
    // grows while it is walked: what is borrowed may borrow itself
    for (const { line, path } of await alternatesOf(source, folder)) {
      const lender = await findLender(source, { roots, path });
      const name = shortName(folder);
      if (!lender) {
        notes.push(
          `Repository ${name} borrows objects from ${printable(path)}, which is not in the snapshot.`,
        );
        continue;
      }
      if (!known.has(placeOf(lender))) {
        known.add(placeOf(lender));
        folders.push(lender);
        notes.push(`Repository ${name} borrows objects from ${shortName(lender)}: that was restored, too.`);
      }
      const now = bytePathOfTarget(targets.get(lender.root), lender.entry.path);
      if (
        line.startsWith('/') &&
        now !== undefined &&
        `${now}/objects` !== posix.normalize(line).replace(/\/$/, '')
      ) {
        notes.push(
          `Repository ${name} looks for objects in ${printable(line)}: write ${printable(`${now}/objects` as BytePath)} into its objects/info/alternates.`,
        );
      }
    }
  }
  return { folders, notes };
}

const placeOf = ({ root, entry }: RepositoryFolder): string => `${nameOfRoot(root)}\0${entry.path}`;
const shortName = ({ entry }: RepositoryFolder): string =>
  printable(entry.path.slice(entry.path.lastIndexOf('/') + 1) as BytePath);
const bytePathOfTarget = (target: string | undefined, path: BytePath): BytePath | undefined =>
  target === undefined ? undefined : (`${bytePath(Buffer.from(target))}/${path}` as BytePath);

async function findRepository(
  source: ChunkSource,
  { roots, id }: { readonly roots: readonly StoredRoot[]; readonly id: string },
): Promise<RepositoryFolder> {
  if (!/^[\w-][\w.-]*$/.test(id)) {
    throw engineError('USAGE', `Cannot restore repository ${JSON.stringify(id)}: that is no id`, {
      remedy: 'Give the number of the repository, as in its folder below shared/data/repositories.',
    });
  }
  const known: string[] = [];
  for (const root of roots) {
    for (const folder of repositoryFolders(root)) {
      const entry = await findBelow(source, { root, path: `${folder}/${id}` as BytePath });
      if (entry?.kind === 'folder') return { root, entry };
      for await (const { path, kind } of folderEntries(source, { listing: root.listing, folder }))
        if (kind === 'folder' && known.length < knownMax) known.push(path.slice(folder.length + 1));
    }
  }
  const near = nearestFew(id, { known, most: 3 });
  throw engineError(
    'PATH_UNKNOWN',
    `Cannot find repository ${id}: the snapshot holds ${known.length} others`,
    {
      remedy: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'See them with `stillpoint ls`.',
      context: { near },
    },
  );
}

const knownMax = 20_000;
const alternatesBytesMax = 1 << 20;

/** The folders that Git looks for objects in, as the file has them and as absolute paths. */
async function alternatesOf(
  source: ChunkSource,
  { root, entry }: RepositoryFolder,
): Promise<{ readonly line: BytePath; readonly path: BytePath }[]> {
  const objects = `${entry.path}/objects`;
  const file = await findBelow(source, { root, path: `${objects}/info/alternates` as BytePath });
  if (file?.kind !== 'file' || !file.content || file.content.length > alternatesBytesMax) return [];
  const text = bytePath(await contentBytes(source, file.content, { bytesMax: alternatesBytesMax }));
  return text
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => ({
      line: line as BytePath,
      path: posix.resolve('/', bytePath(root.path), objects, line) as BytePath,
    }));
}

/** The repository whose `objects` that is, if it is stored. */
async function findLender(
  source: ChunkSource,
  { roots, path }: { readonly roots: readonly StoredRoot[]; readonly path: BytePath },
): Promise<RepositoryFolder | undefined> {
  if (!path.endsWith('/objects')) return undefined;
  const repository = path.slice(0, -'/objects'.length);
  for (const root of roots) {
    const start = `${bytePath(root.path).replace(/\/+$/, '')}/`;
    if (!repository.startsWith(start)) continue;
    const entry = await findBelow(source, { root, path: repository.slice(start.length) as BytePath });
    if (entry?.kind === 'folder') return { root, entry };
  }
  return undefined;
}
