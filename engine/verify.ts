import {
  type Content,
  type Entry,
  type ListingRoot,
  readListing,
  StillpointError,
  type Store,
  type VerifyResult as StoreVerifyResult,
  verifyStore,
} from '../store/index.ts';
import { describeDatabaseEntry } from './database/index.ts';
import { decodeHomeEntry, shown } from './home/index.ts';
import type { Snapshot } from './pair.ts';
import { checkPairing } from './pairing.ts';
import type { OnProgress } from './progress.ts';

/** Something damaged, and what it takes with it: snapshots, files, tables. */
export interface NamedDamage {
  readonly kind: string;
  readonly object: string;
  /** What was found. */
  readonly state: string;
  readonly affects: readonly string[];
}

export interface VerifyOptions {
  readonly store: Store;
  /** The snapshots to check; the store's own objects are always checked. */
  readonly snapshots: readonly Snapshot[];
  readonly readData: boolean;
  /** Which packs are read with readData: all, or those that the snapshots need. */
  readonly packs: 'all' | 'needed';
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

export interface VerifyResult {
  readonly ok: boolean;
  readonly snapshots: number;
  readonly chunksChecked: number;
  readonly bytesRead: number;
  readonly damage: readonly NamedDamage[];
}

/** How many files and tables are named one by one before the rest is counted. */
const namesMax = 1_000;

/**
 * Checks the store, and whether each snapshot is a whole pair: its listings say what its manifest says. Damage is
 * traced to the snapshots, files and tables that need it. Reads only.
 */
export async function verifySnapshots(options: VerifyOptions): Promise<VerifyResult> {
  const { store, snapshots, signal } = options;
  const checked = await verifyStore(store, {
    readData: options.readData ? 1 : 0,
    packs: options.packs,
    snapshots: snapshots.map(snapshot => snapshot.id),
    signal,
    onProgress: ({ done, total, bytesRead }) =>
      options.onProgress({ phase: 'verify', files: done, filesTotal: total, bytes: bytesRead }),
  });
  const affected = new Set(checked.affected);
  const losses = new Losses();
  const damage: NamedDamage[] = [];
  for (const snapshot of snapshots) {
    signal.throwIfAborted();
    if (affected.has(snapshot.id)) {
      await nameLosses(snapshot, { store, checked, losses });
      continue;
    }
    const problem = await checkPairing(store, snapshot);
    if (problem) {
      const affects = [nameOf(snapshot)];
      damage.push({ kind: 'pairing', object: `manifests/${snapshot.id}`, state: problem, affects });
    }
  }
  damage.unshift(
    ...checked.damage.map(({ kind, object, state }) => ({ kind, object, state, affects: losses.of(object) })),
  );
  return {
    ok: damage.length === 0 && checked.unlistedDamage === 0,
    snapshots: snapshots.length,
    chunksChecked: checked.chunksChecked,
    bytesRead: checked.bytesRead,
    damage,
  };
}

const nameOf = (snapshot: Snapshot) => `snapshot ${snapshot.id.slice(0, 8)} of ${snapshot.instance}`;
const describeHomeEntry = (entry: Entry) => shown(decodeHomeEntry(entry).path);

interface Lost {
  readonly names: string[];
  unnamed: number;
  /** The one that the last names are of. */
  snapshot: string;
}

/** What is lost with each damaged object, in the order of snapshots and listings. */
class Losses {
  readonly #byObject = new Map<string, Lost>();

  add(object: string, { snapshot, name }: { snapshot: string; name: string }): void {
    const lost = this.#byObject.get(object) ?? { names: [], unnamed: 0, snapshot: '' };
    this.#byObject.set(object, lost);
    if (lost.snapshot !== snapshot) lost.names.push(snapshot);
    lost.snapshot = snapshot;
    if (lost.names.length < namesMax) lost.names.push(name);
    else lost.unnamed += 1;
  }

  /** A damaged manifest is its own snapshot; what is in no listing can be made again from what is whole. */
  of(object: string): readonly string[] {
    const [folder, id] = object.split('/');
    if (folder === 'manifests' && id) return [`snapshot ${id.slice(0, 8)}`];
    const lost = this.#byObject.get(object);
    if (!lost) return [];
    return lost.unnamed === 0 ? lost.names : [...lost.names, `and ${lost.unnamed} more`];
  }
}

interface Search {
  readonly store: Store;
  readonly checked: StoreVerifyResult;
  readonly losses: Losses;
}

/** Traces every file and table of a snapshot to the damaged objects that it is lost with. */
async function nameLosses(snapshot: Snapshot, search: Search): Promise<void> {
  const { home, database } = snapshot;
  const add = (object: string, name: string) =>
    search.losses.add(object, { snapshot: nameOf(snapshot), name });
  for (const root of home?.roots ?? []) {
    await nameListing(root.listing, { ...search, add, what: 'home', describe: describeHomeEntry });
  }
  if (database) {
    await nameListing(database.listing, {
      ...search,
      add,
      what: 'database',
      describe: describeDatabaseEntry,
    });
  }
}

interface ListingSearch extends Search {
  readonly add: (object: string, name: string) => void;
  readonly what: string;
  readonly describe: (entry: Entry) => string;
}

async function nameListing(
  listing: ListingRoot,
  { store, checked, add, what, describe }: ListingSearch,
): Promise<void> {
  let last = '';
  try {
    for await (const entry of readListing(store, listing)) {
      last = describe(entry);
      const objects = new Set<string>();
      for (const content of entry.contents) {
        for (const object of await culpritsOf(content, checked)) objects.add(object);
      }
      for (const object of objects) add(object, last);
    }
  } catch (error) {
    if (!(error instanceof StillpointError)) throw error;
    const objects = await checked.culprits({ id: listing.id, kind: 'node' });
    for (const object of objects)
      add(object, `${what}: all after ${last || 'its beginning'}, its listing is damaged`);
  }
}

async function culpritsOf(content: Content, { culprits }: StoreVerifyResult): Promise<readonly string[]> {
  if ('list' in content) return culprits({ id: content.list, kind: 'node' });
  const found: string[] = [];
  for (const extent of content.extents) {
    if (extent.kind === 'chunk') found.push(...(await culprits({ id: extent.id, kind: 'data' })));
  }
  return found;
}
