import type { StoreContext } from './context.ts';
import { storeError } from './errors.ts';
import { heldIds } from './holds.ts';
import type { SnapshotId } from './ids.ts';
import { writeOnly } from './keys/index.ts';
import { manifestName } from './manifest.ts';
import { isForgotten, listForgottenIds, listManifestIds } from './manifests.ts';
import { putRecord } from './protocol/note.ts';
import { forgottenRecord } from './protocol/records.ts';
import { mayHostsWrite } from './record.ts';
import { insideOf, type Store } from './store.ts';

export interface ForgetOptions {
  /** Kept for ever, with the snapshot's id: who or what decided. */
  readonly reason: string;
  readonly signal?: AbortSignal;
}

/**
 * Drops a snapshot: from here on it is none. Frees nothing by itself; prune does. What was forgotten already is fine.
 * SNAPSHOT_UNKNOWN, SNAPSHOT_HELD. A snapshot whose manifest is damaged can be forgotten.
 */
export async function forgetSnapshot(store: Store, id: SnapshotId, options: ForgetOptions): Promise<void> {
  await forget(insideOf(store).context, id, options);
}

/** As forgetSnapshot, for other parts of this folder. */
export async function forget(
  context: StoreContext,
  id: SnapshotId,
  { reason, signal }: ForgetOptions,
): Promise<void> {
  const { backend, ring, seams } = context;
  if (ring.self !== undefined) throw writeOnly(ring.self.name, 'the record of what is forgotten');
  const call = signal ? { signal } : {};
  const isThere = (await listManifestIds(context, { signal })).includes(id);
  if (!(await listForgottenIds(context, { signal })).has(id)) {
    if (!isThere)
      throw storeError('SNAPSHOT_UNKNOWN', `Cannot forget snapshot ${id}: it is not there`, {
        remedy: 'List the snapshots with `stillpoint snapshots`.',
      });
    if ((await heldIds(context, { signal })).has(id))
      throw storeError('SNAPSHOT_HELD', `Cannot forget snapshot ${id}: a hold keeps it`, {
        remedy: 'Release it first with `stillpoint hold --release`.',
      });
    const record = { snapshot: id, forgottenMs: seams.clock.nowMs(), reason };
    const name = `forgotten/${id}`;
    // The mark first, and for good: so the name never says "snapshot" again, whoever repeats an old put.
    const place = { name, kind: 'forgotten', codec: forgottenRecord, record } as const;
    const answer = await putRecord(context, place, { signal });
    if (answer === 'exists' && mayHostsWrite(context.ring) && !(await isForgotten(context, id, { signal }))) {
      // A mark of somebody who may not forget is none: it makes room for the one that counts.
      await backend.delete(name, call);
      if ((await putRecord(context, place, { signal })) !== 'created') throw taken(name);
    }
  }
  if (!isThere) return;
  await backend.delete(manifestName(id), call);
  await backend.sync(call);
}

function taken(name: string): Error {
  return storeError('STORE_WRITE_FAILED', `Cannot create ${name}: another object has the name`, {
    remedy:
      'A host without the passphrase put it there: find out which, and dismiss it with `stillpoint keys remove`.',
    context: { object: name },
  });
}
