import type { StoreContext } from './context.ts';
import { isStoreError, storeError } from './errors.ts';
import { heldIds } from './holds.ts';
import type { SnapshotId } from './ids.ts';
import { writeOnly } from './keys/index.ts';
import { manifestName } from './manifest.ts';
import { isForgotten, listForgottenIds, listManifestIds, readManifest } from './manifests.ts';
import { isForbidden } from './medium-error.ts';
import { putRecord } from './protocol/note.ts';
import { forgottenRecord } from './protocol/records.ts';
import { readSessions } from './protocol/sessions.ts';
import { withReserveForRecords } from './reserve.ts';
import { insideOf, type Store } from './store.ts';

export interface ForgetOptions {
  /** Kept for ever, with the snapshot's id: who or what decided. */
  readonly reason: string;
  readonly signal?: AbortSignal;
}

/**
 * Drops a snapshot: from here on it is none. Frees nothing by itself; prune does. What was forgotten already is fine.
 * SNAPSHOT_UNKNOWN, SNAPSHOT_HELD. A snapshot whose manifest is damaged can be forgotten, and one whose manifest this user
 * may not read cannot: STORE_READ_FAILED.
 */
export async function forgetSnapshot(store: Store, id: SnapshotId, options: ForgetOptions): Promise<void> {
  await forgetAll(insideOf(store).context, [id], options);
}

/** Drops several at once, or none of them. */
export async function forgetSnapshots(
  store: Store,
  ids: readonly SnapshotId[],
  options: ForgetOptions,
): Promise<void> {
  await forgetAll(insideOf(store).context, ids, options);
}

/** As forgetSnapshot, for other parts of this folder. */
export async function forget(context: StoreContext, id: SnapshotId, options: ForgetOptions): Promise<void> {
  await forgetAll(context, [id], options);
}

/**
 * Drops snapshots, with one look at the store for all of them. One that is not there or held is the end before anything is
 * forgotten. The manifest of one that a session reads stays for a later prune to remove.
 */
export async function forgetAll(
  context: StoreContext,
  ids: readonly SnapshotId[],
  { reason, signal }: ForgetOptions,
): Promise<void> {
  if (ids.length === 0) return;
  const { backend, ring, seams } = context;
  if (ring.self !== undefined) throw writeOnly(ring.self.name, 'the record of what is forgotten');
  const call = signal ? { signal } : {};
  const there = new Set(await listManifestIds(context, { signal }));
  const forgotten = await listForgottenIds(context, { signal });
  const held = await heldIds(context, { signal });
  const wanted = ids.filter(id => !forgotten.has(id));
  for (const id of wanted) checkForgettable(id, { there, held });
  const before = new Map<SnapshotId, SnapshotId | null>();
  for (const id of wanted) before.set(id, await previousOf(context, id, { signal }));
  await checkChain(context, before, { signal });
  // The mark first, and for good: so the name never says "snapshot" again, whoever repeats an old put.
  for (const id of wanted) {
    const previous = before.get(id) ?? undefined;
    const record = { snapshot: id, forgottenMs: seams.clock.nowMs(), reason, ...(previous && { previous }) };
    const name = `forgotten/${id}`;
    const place = { name, kind: 'forgotten', codec: forgottenRecord, record } as const;
    const put = () => withReserveForRecords(context, () => putRecord(context, place, { signal }));
    const answer = await put();
    if (answer === 'exists' && !(await isForgotten(context, id, { signal }))) {
      // A mark of somebody who may not forget, or that cannot be read, is none: it makes room for the one that counts.
      await backend.delete(name, call);
      if ((await put()) !== 'created') throw taken(name);
    }
  }
  // Then the sessions: a reader that is not among them looks for the mark after it has said what it reads.
  const named = await namedBySessions(context, { signal });
  const going = named === undefined ? [] : ids.filter(id => there.has(id) && !named.has(id));
  for (const id of going) await backend.delete(manifestName(id), call);
  if (going.length > 0) await backend.sync(call);
}

function checkForgettable(
  id: SnapshotId,
  { there, held }: { readonly there: ReadonlySet<SnapshotId>; readonly held: ReadonlySet<SnapshotId> },
): void {
  if (!there.has(id))
    throw storeError('SNAPSHOT_UNKNOWN', `Cannot forget snapshot ${id}: it is not there`, {
      remedy: 'List the snapshots with `stillpoint snapshots`.',
    });
  if (held.has(id))
    throw storeError('SNAPSHOT_HELD', `Cannot forget snapshot ${id}: a hold keeps it`, {
      remedy: 'Release it first with `stillpoint hold --release`.',
    });
}

/**
 * What came before it on its host; null: nothing, or nobody knows. A damaged manifest can be forgotten; of one that this user
 * may not read nobody knows that it is. STORE_READ_FAILED.
 */
async function previousOf(
  context: StoreContext,
  id: SnapshotId,
  options: { readonly signal: AbortSignal | undefined },
): Promise<SnapshotId | null> {
  try {
    return (await readManifest(context, id, options))?.previous ?? null;
  } catch (error) {
    if (!isStoreError(error) || isForbidden(error)) throw error;
    return null;
  }
}

const looksMax = 3;

/**
 * While what came before a snapshot is neither there nor forgotten, a list leaves out what is there, or a manifest is lost:
 * nothing is decided by such a list. STORE_IMPLAUSIBLE.
 */
async function checkChain(
  context: StoreContext,
  before: ReadonlyMap<SnapshotId, SnapshotId | null>,
  options: { readonly signal: AbortSignal | undefined },
): Promise<void> {
  for (let look = 1; ; look++) {
    const names = new Set([
      ...(await listManifestIds(context, options)),
      ...(await listForgottenIds(context, options)),
    ]);
    const missing = [...before].find(([, previous]) => previous !== null && !names.has(previous));
    if (missing === undefined) return;
    // A list is no instant.
    if (look < looksMax) continue;
    const [id, previous] = missing;
    throw storeError(
      'STORE_IMPLAUSIBLE',
      `Cannot forget snapshot ${id}: snapshot ${previous}, which came before it, is neither there nor forgotten`,
      {
        remedy:
          'Nothing was forgotten. Check that the medium lists everything (mounts, permissions); if a manifest is lost, and no copy of the store has it, run `stillpoint repair --forget-lost`.',
      },
    );
  }
}

/** Undefined where a session cannot be read: then nobody knows what it reads. */
async function namedBySessions(
  context: StoreContext,
  options: { readonly signal: AbortSignal | undefined },
): Promise<ReadonlyMap<SnapshotId, unknown> | undefined> {
  try {
    return (await readSessions(context, options)).named;
  } catch (error) {
    if (isStoreError(error) && error.code === 'STORE_DAMAGED') return undefined;
    throw error;
  }
}

function taken(name: string): Error {
  return storeError('STORE_WRITE_FAILED', `Cannot create ${name}: another object has the name`, {
    remedy:
      'A host without the passphrase put it there: find out which, and dismiss it with `stillpoint keys remove`.',
    context: { object: name },
  });
}
