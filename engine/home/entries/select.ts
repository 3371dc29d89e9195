import {
  type ChunkSource,
  type Entry,
  ListingCursor,
  type ListingRoot,
  readListingNodes,
  storeError,
} from '../../../store/index.ts';
import { bytePath } from '../paths.ts';
import { type HomeEntry, keyOf } from './entry.ts';

/** A thing of a listing that somebody wants; a folder with all that is below it. */
export type Selected = Pick<HomeEntry, 'path' | 'kind'>;

interface Selection {
  readonly listing: ListingRoot;
  readonly selected?: readonly Selected[] | undefined;
}

/**
 * The entries that a restore of these needs, in the order of the listing: the root folder, the folders above each, and
 * each with all that is below it. What is not wanted is not read. All of them without a selection.
 */
export async function* selectedEntries(source: ChunkSource, selection: Selection): AsyncGenerator<Entry> {
  for await (const group of selectedGroups(source, selection)) yield* group;
}

/** The same, as many at a time as come at once: waiting for each costs more than most that is done with it. */
export async function* selectedGroups(
  source: ChunkSource,
  { listing, selected }: Selection,
): AsyncGenerator<readonly Entry[]> {
  if (!selected || selected.some(({ path }) => path === '')) {
    for await (const { entries } of readListingNodes(source, listing)) if (entries) yield entries;
    return;
  }
  const cursor = new ListingCursor(source, listing);
  const passed = new Set<string>();
  for (const key of leastKeys(selected)) {
    for (const above of foldersAbove(key)) {
      const name = bytePath(above);
      if (!passed.has(name)) yield [await entryAt(cursor, above)];
      passed.add(name);
    }
    yield [await entryAt(cursor, key)];
    if (isFolderKey(key)) for await (const entry of entriesBelow(cursor, key)) yield [entry];
  }
}

const slash = 0x2f;
const isFolderKey = (key: Uint8Array): boolean => key.at(-1) === slash;
const beginsWith = (key: Uint8Array, prefix: Uint8Array): boolean =>
  Buffer.compare(key.subarray(0, prefix.length), prefix) === 0;

/** Keys in order, without those that another one brings along. */
function leastKeys(selected: readonly Selected[]): Uint8Array[] {
  const keys = selected.map(({ path, kind }) => keyOf(path, kind)).sort(Buffer.compare);
  const least: Uint8Array[] = [];
  for (const key of keys) {
    const last = least.at(-1);
    const isBrought = last && (isFolderKey(last) ? beginsWith(key, last) : Buffer.compare(key, last) === 0);
    if (!isBrought) least.push(key);
  }
  return least;
}

/** `/`, `/a/` and `/a/b/` of `/a/b/c`. */
function* foldersAbove(key: Uint8Array): Generator<Uint8Array> {
  for (let i = 0; i < key.length - 1; i++) if (key[i] === slash) yield key.subarray(0, i + 1);
}

async function entryAt(cursor: ListingCursor, key: Uint8Array): Promise<Entry> {
  await cursor.seek(key);
  const entry = await cursor.next();
  if (entry && Buffer.compare(entry.key, key) === 0) return entry;
  throw storeError('STORE_DAMAGED', `Cannot restore ${JSON.stringify(bytePath(key))}: its listing lacks it`);
}

async function* entriesBelow(cursor: ListingCursor, prefix: Uint8Array): AsyncGenerator<Entry> {
  for (let entry = await cursor.peek(); entry && beginsWith(entry.key, prefix); entry = await cursor.peek()) {
    cursor.skip();
    yield entry;
  }
}
