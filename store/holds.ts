import type { StoreContext } from './context.ts';
import { isStoreError, storeError } from './errors.ts';
import type { SnapshotId } from './ids.ts';
import { listForgottenIds, listManifestIds } from './manifests.ts';
import { putRecord } from './protocol/note.ts';
import { type HoldRecord, holdRecord } from './protocol/records.ts';
import { openRecord } from './record.ts';
import { insideOf, type Store } from './store.ts';

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface SetHoldOptions {
  readonly isHeld: boolean;
  readonly reason: string;
  readonly signal?: AbortSignal;
}

const holdPattern = /^holds\/([0-9a-f]{64})\.([1-9][0-9]{0,15})$/;

/** Keeps a snapshot from being forgotten, or no longer. What is so already is left so. SNAPSHOT_UNKNOWN. */
export async function setHold(store: Store, id: SnapshotId, options: SetHoldOptions): Promise<void> {
  const { context } = insideOf(store);
  const { isHeld, reason, signal } = options;
  const isThere = (await listManifestIds(context, { signal })).includes(id);
  if (!isThere || (await listForgottenIds(context, { signal })).has(id))
    throw storeError('SNAPSHOT_UNKNOWN', `Cannot hold snapshot ${id}: it is not there`, {
      remedy: 'List the snapshots with `stillpoint snapshots`.',
    });
  for (;;) {
    const version = (await latestVersions(context, { signal })).get(id) ?? 0;
    const isSaid = version > 0 && (await isHeldBy(context, { id, version }, { signal })) === isHeld;
    if (isSaid || (version === 0 && !isHeld)) return;
    const record: HoldRecord = {
      snapshot: id,
      version: version + 1,
      isHeld,
      changedMs: context.seams.clock.nowMs(),
      reason,
    };
    const name = holdName(id, record.version);
    // Refused: somebody else said something meanwhile, which is then what this one changes.
    if (
      (await putRecord(context, { name, kind: 'hold', codec: holdRecord, record }, { signal })) === 'created'
    )
      return;
  }
}

/** Snapshots that are held. A hold that cannot be read holds. */
export async function readHolds(
  store: Store,
  options: { readonly signal?: AbortSignal } = {},
): Promise<ReadonlySet<SnapshotId>> {
  return heldIds(insideOf(store).context, options);
}

/** As readHolds, for other parts of this folder. */
export async function heldIds(
  context: StoreContext,
  options: CallOptions = {},
): Promise<ReadonlySet<SnapshotId>> {
  const held = new Set<SnapshotId>();
  for (const [id, version] of await latestVersions(context, options))
    if (await isHeldBy(context, { id, version }, options)) held.add(id);
  return held;
}

function holdName(id: SnapshotId, version: number): string {
  return `holds/${id}.${version}`;
}

async function latestVersions(
  { backend }: StoreContext,
  { signal }: CallOptions,
): Promise<ReadonlyMap<SnapshotId, number>> {
  const versions = new Map<SnapshotId, number>();
  for await (const { name } of backend.list('holds/', signal ? { signal } : {})) {
    const found = holdPattern.exec(name);
    if (found === null) continue;
    const id = found[1] as SnapshotId;
    versions.set(id, Math.max(versions.get(id) ?? 0, Number(found[2])));
  }
  return versions;
}

async function isHeldBy(
  { backend, ring }: StoreContext,
  { id, version }: { readonly id: SnapshotId; readonly version: number },
  { signal }: CallOptions,
): Promise<boolean> {
  const name = holdName(id, version);
  try {
    const bytes = await backend.get(name, signal ? { signal } : {});
    return holdRecord.decode(openRecord(ring, bytes, { kind: 'hold', name }).fields, name).isHeld;
  } catch (error) {
    if (isStoreError(error) && error.code === 'STORE_DAMAGED') return true; // it may have said so
    throw error;
  }
}
