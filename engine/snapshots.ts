import { type Manifest, type SnapshotId, StillpointError, type Store, storeError } from '../store/index.ts';
import { inPlace } from './in-place.ts';
import type { Snapshot } from './pair.ts';
import { decodePair } from './pair-codec.ts';

export interface SnapshotFilter {
  readonly instance?: string | undefined;
  readonly tag?: string | undefined;
}

export interface ListSnapshotsOptions extends SnapshotFilter {
  /** Takes what is wrong with a manifest that cannot be read; without it that is STORE_DAMAGED. */
  readonly onDamage?: (id: SnapshotId, error: Error) => void;
}

/** The store's snapshots that match, oldest first. */
export async function listSnapshots(
  store: Store,
  { onDamage, ...filter }: ListSnapshotsOptions = {},
): Promise<Snapshot[]> {
  const found: Snapshot[] = [];
  for await (const manifest of store.snapshots(onDamage && { onDamage })) {
    const snapshot = unlessDamaged(manifest, onDamage);
    if (snapshot === undefined) continue;
    if (filter.instance !== undefined && snapshot.instance !== filter.instance) continue;
    if (filter.tag !== undefined && !snapshot.tags.includes(filter.tag)) continue;
    found.push(snapshot);
  }
  return inPlace(found); // in the store's order: a clock that was wrong must not make an old snapshot the latest
}

/** What a manifest pairs may be no pair, though its seal is right: that must not hide the others either. */
function unlessDamaged(manifest: Manifest, onDamage: ListSnapshotsOptions['onDamage']): Snapshot | undefined {
  try {
    return decodePair(manifest);
  } catch (error) {
    if (!onDamage || !(error instanceof StillpointError)) throw error;
    onDamage(manifest.id, error);
    return undefined;
  }
}

/**
 * The snapshot that a person named: `latest` (narrowed by the filter), a full id, or an unambiguous prefix of at least
 * 4 characters. `latest` over several instances is refused as SNAPSHOT_AMBIGUOUS; it is the newest of those that can be
 * read, and onDamage hears of the others.
 */
export async function findSnapshot(
  store: Store,
  options: { name: string; filter?: ListSnapshotsOptions },
): Promise<Snapshot> {
  if (options.name !== 'latest') {
    const id: SnapshotId = await store.resolve(options.name);
    return decodePair(await store.manifest(id));
  }
  const snapshots = await listSnapshots(store, options.filter);
  const latest = snapshots.at(-1);
  if (!latest) {
    throw storeError(
      'SNAPSHOT_UNKNOWN',
      `Cannot find the latest snapshot: ${store.location} holds none that matches`,
      {
        remedy: 'See what there is with `stillpoint snapshots`.',
      },
    );
  }
  const instances = [...new Set(snapshots.map(snapshot => snapshot.instance))];
  if (instances.length > 1) {
    throw storeError(
      'SNAPSHOT_AMBIGUOUS',
      `Cannot tell which latest is meant: the store holds ${instances.join(', ')}`,
      {
        remedy: 'Name one with --instance, or give the snapshot id.',
      },
    );
  }
  return latest;
}
