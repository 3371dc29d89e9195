import {
  type ChunkId,
  type Entry,
  ListingBuilder,
  type ListingRoot,
  type SnapshotId,
  type Store,
} from '../../store/index.ts';
import { kindOf, knownDatabase } from '../database/index.ts';
import { bytePath, shown } from '../home/paths.ts';
import type { Degraded, PairedDatabase, PairedHome, PairedRoot, Snapshot } from '../pair.ts';
import { encodePair } from '../pair-codec.ts';
import { emptyRoot, type HomeSalvage, type SalvagedEntry, wholeHomeEntries } from './home.ts';
import { Losses, type Salvage } from './losses.ts';

/** Everything that is lost of a snapshot. STORE_READ_FAILED where the medium does not say. */
export async function findLosses(snapshot: Snapshot, salvage: Salvage): Promise<Losses> {
  const losses = new Losses();
  for (const [i, root] of (snapshot.home?.roots ?? []).entries())
    for await (const _entry of wholeHomeEntries(root, homeSalvage(root, i, { ...salvage, losses })));
  if (snapshot.database) {
    const database = knownDatabase(snapshot.database);
    await kindOf(database).salvage(database, { ...salvage, losses });
  }
  return losses;
}

function homeSalvage(
  root: PairedRoot,
  place: number,
  salvage: Salvage & { readonly losses: Losses },
): HomeSalvage {
  return { ...salvage, prefix: place === 0 ? '' : `${shown(bytePath(root.path))}/` };
}

export interface DegradeOptions {
  readonly store: Store;
  readonly host: string;
  readonly salvage: Salvage;
  readonly degraded: Degraded;
  readonly signal: AbortSignal;
}

/**
 * Commits what is left of a snapshot as one of its own, with its time, fence and configuration: everything in it is whole.
 * Undefined: nothing is left.
 */
export async function commitDegraded(
  snapshot: Snapshot,
  { store, host, salvage, degraded, signal }: DegradeOptions,
): Promise<SnapshotId | undefined> {
  await using session = await store.beginBackup({ host, signal });
  const losses = new Losses(); // they are known
  const build = async (entries: AsyncIterable<Entry>): Promise<ListingRoot> => {
    const builder = new ListingBuilder(session, store.cuts.nodes);
    for await (const entry of entries) {
      signal.throwIfAborted();
      await builder.add(entry);
    }
    return builder.finish();
  };
  const home = await degradedHome(snapshot, { ...salvage, losses }, build);
  const database = await degradedDatabase(snapshot, { ...salvage, losses }, build);
  if (home === null && database === null) return undefined;
  const { id: _id, host: _host, sequence: _sequence, ...pair } = snapshot;
  return await session.commit(encodePair({ ...pair, home, database, degraded }));
}

/** Whether anything is left of a snapshot of which a snapshot can be made. Writes nothing. */
export async function isAnythingLeft(
  snapshot: Snapshot,
  { salvage, signal }: Pick<DegradeOptions, 'salvage' | 'signal'>,
): Promise<boolean> {
  const losses = new Losses(); // they are known
  const count: Build = async entries => {
    let length = 0;
    for await (const _entry of entries) {
      signal.throwIfAborted();
      length += 1;
    }
    return { id: new Uint8Array(32) as ChunkId, level: 0, entries: length };
  };
  const home = await degradedHome(snapshot, { ...salvage, losses }, count);
  return home !== null || (await degradedDatabase(snapshot, { ...salvage, losses }, count)) !== null;
}

type Build = (entries: AsyncIterable<Entry>) => Promise<ListingRoot>;

async function degradedHome(
  { home }: Snapshot,
  salvage: Salvage & { readonly losses: Losses },
  build: Build,
): Promise<PairedHome | null> {
  if (home === null) return null;
  const counts = { files: 0, folders: 0, bytes: 0 };
  const roots: PairedRoot[] = [];
  let isAnyWhole = false;
  for (const [i, root] of home.roots.entries()) {
    const entries = counted(wholeHomeEntries(root, homeSalvage(root, i, salvage)), counts);
    const listing = await build(entries);
    if (listing.entries > 0) isAnyWhole = true;
    if (listing.entries > 0) roots.push({ path: root.path, listing });
    // The first is the home itself, whatever is left of it.
    else if (i === 0)
      roots.push({ path: root.path, listing: await build(counted(only(emptyRoot()), counts)) });
  }
  return isAnyWhole ? { ...home, ...counts, roots } : null;
}

async function* only(entry: SalvagedEntry): AsyncGenerator<SalvagedEntry> {
  yield entry;
}

async function* counted(
  entries: AsyncIterable<SalvagedEntry>,
  counts: { files: number; folders: number; bytes: number },
): AsyncGenerator<Entry> {
  for await (const { entry, isFolder, bytes } of entries) {
    if (isFolder) counts.folders += 1;
    else counts.files += 1;
    counts.bytes += bytes;
    yield entry;
  }
}

async function degradedDatabase(
  { database: stored }: Snapshot,
  salvage: Salvage & { readonly losses: Losses },
  build: Build,
): Promise<PairedDatabase | null> {
  if (stored === null) return null;
  const database = knownDatabase(stored);
  const kind = kindOf(database);
  const { isRestorable, tables, rows, segments, entries } = await kind.salvage(database, salvage);
  if (!isRestorable) return null;
  // No later backup builds on what lacks rows.
  const listing = await build(entries());
  return kind.withoutBase({ ...database, tables, rows, segments, listing });
}
