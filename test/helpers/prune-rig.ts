import assert from 'node:assert/strict';
import {
  type Backend,
  beginPrune,
  forgetSnapshot,
  memoryBackend,
  type Reclaimed,
  type ReclaimOptions,
  type SnapshotId,
  type Store,
  verifyStore,
} from '../../store/index.ts';
import { collect } from './collect.ts';
import { readFiles, type SmallSnapshot } from './small-store.ts';
import { reopenStore } from './stores.ts';

/** One prune from begin to end, without patience. */
export async function prune(store: Store, options: ReclaimOptions = {}): Promise<Reclaimed> {
  await using session = await beginPrune(store, { host: 'pruner', silenceMs: 0 });
  return await session.reclaim(options);
}

/** Forgets and prunes. */
export async function drop(
  store: Store,
  ...snapshots: readonly { readonly id: SnapshotId }[]
): Promise<Reclaimed> {
  for (const { id } of snapshots) await forgetSnapshot(store, id, { reason: 'a test' });
  return prune(store);
}

/** Every snapshot given is there, whole and as it was; no other is listed, unless `others` allows it. */
export async function checkWhole(
  backend: Backend,
  snapshots: readonly SmallSnapshot[],
  { where = '', others = false }: { readonly where?: string; readonly others?: boolean } = {},
): Promise<void> {
  const store = await reopenStore(backend);
  const result = await verifyStore(store, { readData: 1 });
  // A part of the index that was replaced goes with the next prune, whatever became of it.
  assert.deepEqual(
    result.damage.filter(one => !one.isReplaced),
    [],
    where,
  );
  const listed = (await collect(store.snapshots())).map(({ id }) => id);
  for (const { id, root, files } of snapshots) {
    assert.ok(listed.includes(id), `${id} ${where}`);
    assert.deepEqual(await readFiles(store, root), files, where);
  }
  if (!others) assert.equal(listed.length, snapshots.length, where);
}

/** The names of objects under a prefix. */
export function namesOf(backend: { snapshot(): Map<string, Uint8Array> }, prefix: string): string[] {
  return [...backend.snapshot().keys()].filter(name => name.startsWith(prefix)).sort();
}

/** The same objects in a backend of their own. */
export function copyOf(backend: { snapshot(): Map<string, Uint8Array> }) {
  return memoryBackend({ objects: backend.snapshot() });
}
