import { type ChunkSource, findEntry, StillpointError } from '../../store/index.ts';
import { type DatabaseThing, kindOf, type StoredDatabase } from '../database/index.ts';
import { engineError } from '../errors.ts';
import { decodeHomeEntry, type HomeEntry, keyOf } from '../home/entries/entry.ts';
import type { BytePath } from '../home/paths.ts';
import { nearestFew } from '../nearest.ts';
import type { Snapshot } from '../pair.ts';
import { type Address, addressesMeant, type StoredRoot } from './address.ts';
import { folderEntries } from './folder.ts';
import { exactText, pathsMeant, printable } from './names.ts';

/** What a PATH names in a snapshot. */
export type Found =
  | { readonly in: 'root'; readonly root: StoredRoot; readonly entry: HomeEntry }
  | { readonly in: 'database'; readonly thing: DatabaseThing }
  | { readonly in: 'snapshot' };

/** Finds what a person named. PATH_UNKNOWN names what is near; USAGE. */
export async function findPath(
  source: ChunkSource,
  { snapshot, text }: { readonly snapshot: Snapshot; readonly text: string },
): Promise<Found> {
  const addresses: readonly Address[] =
    text === '' && !snapshot.home ? [{ in: 'snapshot' }] : addressesMeant(snapshot, text);
  for (const address of addresses) {
    if (address.in === 'snapshot') return address;
    if (address.in === 'database') {
      if (!snapshot.database) throw holdsNoDatabase(snapshot);
      return { in: 'database', thing: await findThing(source, snapshot.database, address.path) };
    }
    const entry = await findBelow(source, address);
    if (entry) return { ...address, entry };
  }
  const first = addresses.find(address => address.in === 'root');
  throw await unknownPath(source, { first: first!, text });
}

/** By its very name, or as `ls` shows it. */
async function findThing(
  source: ChunkSource,
  database: StoredDatabase,
  text: string,
): Promise<DatabaseThing> {
  const meant = pathsMeant(text).flatMap(path => exactText(path) ?? []);
  let unknown: unknown;
  for (const path of meant)
    try {
      return await kindOf(database).look.find(source, { listing: database.listing, path });
    } catch (error) {
      if (!(error instanceof StillpointError) || error.code !== 'PATH_UNKNOWN') throw error;
      unknown ??= error;
    }
  throw unknown;
}

const holdsNoDatabase = (snapshot: Snapshot): Error =>
  engineError(
    'PATH_UNKNOWN',
    `Cannot look into the database: snapshot ${snapshot.id.slice(0, 8)} holds none`,
    {
      remedy: 'See what it holds with `stillpoint show`.',
    },
  );

interface Below {
  readonly root: StoredRoot;
  readonly path: BytePath;
}

/** The entry of that path, whatever it is; reads a few nodes. */
export async function findBelow(source: ChunkSource, { root, path }: Below): Promise<HomeEntry | undefined> {
  for (const kind of path === '' ? (['folder'] as const) : (['file', 'folder'] as const)) {
    const key = keyOf(path, kind);
    if (key.length > keyBytesMax) return undefined;
    const entry = await findEntry(source, root.listing, key);
    if (entry) return decodeHomeEntry(entry);
  }
  return undefined;
}

const keyBytesMax = 0xffff;
/** Names of one folder that are compared with what was asked for. */
const comparedMax = 20_000;

async function unknownPath(
  source: ChunkSource,
  { first, text }: { readonly first: Below; readonly text: string },
): Promise<Error> {
  const { root } = first;
  const names = first.path.split('/');
  let depth = names.length - 1;
  let above: HomeEntry | undefined;
  for (; depth >= 0 && !above; depth -= 1) {
    above = await findBelow(source, { root, path: names.slice(0, depth).join('/') as BytePath });
    if (above) break;
  }
  if (!above) return engineError('PATH_UNKNOWN', `Cannot find ${text}: the snapshot is empty there`);
  const where = above.path === '' ? (root.isHome ? 'the home' : 'the data store') : printable(above.path);
  if (above.kind !== 'folder') {
    const state = above.kind === 'link' ? `a link to ${printable(above.target!)}` : 'no folder';
    return engineError('PATH_UNKNOWN', `Cannot find ${text}: ${where} is ${state}`, {
      remedy: 'Name what a link leads to by its own path.',
    });
  }
  const known: string[] = [];
  for await (const { path } of folderEntries(source, { listing: root.listing, folder: above.path })) {
    if (known.push(path.slice(path.lastIndexOf('/') + 1)) === comparedMax) break;
  }
  const near = nearestFew(names[depth]!, { known, most: 3 }).map(name =>
    printable((above.path === '' ? name : `${above.path}/${name}`) as BytePath),
  );
  return engineError(
    'PATH_UNKNOWN',
    `Cannot find ${text}: ${where} holds no ${printable(names[depth] as BytePath)}`,
    {
      remedy:
        near.length > 0
          ? `Did you mean ${near.join(' or ')}?`
          : 'See what there is with `stillpoint ls SNAPSHOT`; a path is relative to the home.',
      context: { near },
    },
  );
}
