import type { StoreContext } from './context.ts';
import { isStoreError, storeError } from './errors.ts';
import type { SnapshotId } from './ids.ts';
import { writeOnly } from './keys/index.ts';
import { listForgottenIds, listManifestIds } from './manifests.ts';
import { putRecord } from './protocol/note.ts';
import { type HoldRecord, holdRecord } from './protocol/records.ts';
import { isUntrusted, openRecord } from './record.ts';
import { withReserveForRecords } from './reserve.ts';
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
  if (store.host !== undefined) throw writeOnly(store.host, 'holds');
  const { isHeld, reason, signal } = options;
  const isThere = (await listManifestIds(context, { signal })).includes(id);
  if (!isThere || (await listForgottenIds(context, { signal })).has(id))
    throw storeError('SNAPSHOT_UNKNOWN', `Cannot hold snapshot ${id}: it is not there`, {
      remedy: 'List the snapshots with `stillpoint snapshots`.',
    });
  const said = await readHold(
    context,
    { id, versions: (await versionsOf(context, { signal })).get(id) ?? [] },
    { signal },
  );
  if (said.isHeld === isHeld) return;
  for (let version = said.version + 1; ; version++) {
    const record: HoldRecord = {
      snapshot: id,
      version,
      isHeld,
      changedMs: context.seams.clock.nowMs(),
      reason,
    };
    const name = holdName(id, record.version);
    const place = { name, kind: 'hold', codec: holdRecord, record } as const;
    // Refused: somebody else said something meanwhile, which is then what this one changes; or something false is there.
    const answer = await withReserveForRecords(context, () => putRecord(context, place, { signal }));
    if (answer === 'created') return;
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
  for (const [id, versions] of await versionsOf(context, options))
    if ((await readHold(context, { id, versions }, options)).isHeld) held.add(id);
  return held;
}

function holdName(id: SnapshotId, version: number): string {
  return `holds/${id}.${version}`;
}

/** Numbers of the holds of each snapshot, the highest first. */
async function versionsOf(
  { backend }: StoreContext,
  { signal }: CallOptions,
): Promise<ReadonlyMap<SnapshotId, readonly number[]>> {
  const versions = new Map<SnapshotId, number[]>();
  for await (const { name } of backend.list('holds/', signal ? { signal } : {})) {
    const found = holdPattern.exec(name);
    const version = Number(found?.[2]);
    if (found === null || !Number.isSafeInteger(version)) continue;
    const id = found[1] as SnapshotId;
    versions.set(id, [...(versions.get(id) ?? []), version]);
  }
  for (const own of versions.values()) own.sort((a, b) => b - a);
  return versions;
}

/** What the highest says that counts; what a host without the passphrase says of holds does not. */
async function readHold(
  { backend, ring }: StoreContext,
  { id, versions }: { readonly id: SnapshotId; readonly versions: readonly number[] },
  { signal }: CallOptions,
): Promise<{ readonly version: number; readonly isHeld: boolean }> {
  for (const version of versions) {
    const name = holdName(id, version);
    try {
      const bytes = await backend.get(name, signal ? { signal } : {});
      const { fields } = openRecord(ring, bytes, { kind: 'hold', name });
      return { version, isHeld: holdRecord.decode(fields, name).isHeld };
    } catch (error) {
      if (isUntrusted(error)) continue;
      if (isStoreError(error) && error.code === 'STORE_DAMAGED') return { version, isHeld: true }; // it may have said so
      throw error;
    }
  }
  return { version: 0, isHeld: false };
}
