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
    snapshots: snapshots.map(snapshot => snapshot.id),
    signal,
    onProgress: ({ done, total, bytesRead }) =>
      options.onProgress({ phase: 'verify', files: done, filesTotal: total, bytes: bytesRead }),
  });
  const affected = new Set(checked.affected);
  const lost = new Map<Snapshot, string[]>();
  const damage: NamedDamage[] = [];
  for (const snapshot of snapshots) {
    signal.throwIfAborted();
    if (affected.has(snapshot.id)) {
      lost.set(snapshot, await nameLosses(store, snapshot, checked));
      continue;
    }
    const problem = await checkPairing(store, snapshot);
    if (problem) {
      const name = nameOf(snapshot);
      damage.push({ kind: 'pairing', object: `manifests/${snapshot.id}`, state: problem, affects: [name] });
    }
  }
  const affects = [...lost].flatMap(([snapshot, names]) => [nameOf(snapshot), ...names]);
  damage.unshift(
    ...checked.damage.map(({ kind, object, state }) => ({
      kind,
      object,
      state,
      affects: affectsOf(object, affects),
    })),
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

/** Chunks are lost with packs; a damaged manifest is its own snapshot; the rest can be made again from what is whole. */
function affectsOf(object: string, lost: readonly string[]): readonly string[] {
  const [folder, id] = object.split('/');
  if (folder === 'manifests' && id) return [`snapshot ${id.slice(0, 8)}`];
  return folder === 'packs' || folder === object ? lost : [];
}

const describeHomeEntry = (entry: Entry) => shown(decodeHomeEntry(entry).path);

/** Every file and table of a snapshot that no whole copy is left of. */
async function nameLosses(store: Store, snapshot: Snapshot, checked: StoreVerifyResult): Promise<string[]> {
  const names: string[] = [];
  const halves = [
    ...(snapshot.home?.roots.map(root => ({
      half: 'home',
      listing: root.listing,
      describe: describeHomeEntry,
    })) ?? []),
    ...(snapshot.database
      ? [{ half: 'database', listing: snapshot.database.listing, describe: describeDatabaseEntry }]
      : []),
  ];
  for (const { half, listing, describe } of halves) {
    for await (const loss of lossesOf(store, { half, listing, describe, checked })) names.push(loss);
  }
  if (names.length <= namesMax) return names;
  return [...names.slice(0, namesMax), `and ${names.length - namesMax} more`];
}

interface Half {
  readonly half: string;
  readonly listing: ListingRoot;
  readonly describe: (entry: Entry) => string;
  readonly checked: StoreVerifyResult;
}

async function* lossesOf(store: Store, { half, listing, describe, checked }: Half): AsyncGenerator<string> {
  let last = '';
  try {
    for await (const entry of readListing(store, listing)) {
      last = describe(entry);
      for (const content of entry.contents) {
        if (!(await isLost(content, checked))) continue;
        yield last;
        break;
      }
    }
  } catch (error) {
    if (!(error instanceof StillpointError)) throw error;
    yield `${half}: everything after ${last || 'its beginning'} (a part of the listing is lost)`;
  }
}

async function isLost(content: Content, checked: StoreVerifyResult): Promise<boolean> {
  if ('list' in content) return checked.reachesDamage({ id: content.list, kind: 'node' });
  return content.extents.some(extent => extent.kind === 'chunk' && checked.isDamaged(extent.id));
}
