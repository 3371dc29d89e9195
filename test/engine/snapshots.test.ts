import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodePair } from '../../engine/pair-codec.ts';
import { findSnapshot, listSnapshots } from '../../engine/snapshots.ts';
import { memoryBackend, type SnapshotId, type Store } from '../../store/index.ts';
import { somePair } from '../helpers/pairs.ts';
import { makeStore, reopenStore } from '../helpers/stores.ts';

async function commit(
  store: Store,
  wish: { instance: string; timeMs: number; tags?: string[] },
): Promise<SnapshotId> {
  await using session = await store.beginBackup({ host: 'alpha' });
  return await session.commit(encodePair({ ...somePair, ...wish }));
}

test('latest is the newest of the instance, and of the tag', async () => {
  const store = await makeStore();
  const old = await commit(store, { instance: 'a', timeMs: 1, tags: ['kept'] });
  const young = await commit(store, { instance: 'a', timeMs: 2 });
  await commit(store, { instance: 'b', timeMs: 3 });
  assert.equal((await findSnapshot(store, { name: 'latest', filter: { instance: 'a' } })).id, young);
  assert.equal((await findSnapshot(store, { name: 'latest', filter: { tag: 'kept' } })).id, old);
});

test('latest of several instances is refused', async () => {
  const store = await makeStore();
  await commit(store, { instance: 'a', timeMs: 1 });
  await commit(store, { instance: 'b', timeMs: 2 });
  await assert.rejects(findSnapshot(store, { name: 'latest' }), { code: 'SNAPSHOT_AMBIGUOUS' });
});

test('latest of nothing is unknown', async () => {
  await assert.rejects(findSnapshot(await makeStore(), { name: 'latest' }), { code: 'SNAPSHOT_UNKNOWN' });
});

test('a manifest that cannot be read does not hide the others, and is told of', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const whole = await commit(store, { instance: 'a', timeMs: 1 });
  const damaged = await commit(store, { instance: 'a', timeMs: 2 });
  const objects = backend.snapshot();
  const bytes = new Uint8Array(objects.get(`manifests/${damaged}`)!);
  bytes[bytes.length - 1]! ^= 1;
  const opened = await reopenStore(memoryBackend({ objects: objects.set(`manifests/${damaged}`, bytes) }));
  const told: string[] = [];
  const onDamage = (id: string) => void told.push(id);
  assert.equal((await findSnapshot(opened, { name: 'latest', filter: { onDamage } })).id, whole);
  assert.deepEqual(told, [damaged]);
  await assert.rejects(listSnapshots(opened), { code: 'STORE_DAMAGED' });
});
