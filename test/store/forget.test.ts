import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  forgetSnapshot,
  memoryBackend,
  readHolds,
  type SnapshotId,
  setHold,
  storeError,
  verifyStore,
} from '../../store/index.ts';
import { collect } from '../helpers/collect.ts';
import { observedBackend } from '../helpers/faulty-backend.ts';
import { namesOf } from '../helpers/prune-rig.ts';
import { smallStore } from '../helpers/small-store.ts';
import { reopenStore } from '../helpers/stores.ts';

const reason = 'a test';

test('a forgotten snapshot is none, and forgetting it again changes nothing', async () => {
  const backend = memoryBackend();
  const { store, snapshots } = await smallStore({ backend });
  const [id, other] = snapshots.map(snapshot => snapshot.id) as [SnapshotId, SnapshotId];
  await forgetSnapshot(store, id, { reason });
  assert.deepEqual(
    (await collect(store.snapshots())).map(snapshot => snapshot.id),
    [other],
  );
  await assert.rejects(store.resolve(id), { code: 'SNAPSHOT_UNKNOWN' });
  const after = backend.snapshot();
  await forgetSnapshot(store, id, { reason });
  assert.deepEqual(backend.snapshot(), after);
  assert.deepEqual(namesOf(backend, 'forgotten/'), [`forgotten/${id}`]);
  assert.deepEqual((await verifyStore(store)).damage, []);
});

test('on a full medium what is small has the room that is set aside for a prune', async () => {
  const backend = memoryBackend();
  const { snapshots } = await smallStore({ backend });
  let [isFull, kept] = [true, 0];
  const full = observedBackend(backend, ({ operation, name }) =>
    operation === 'put' && isFull
      ? {
          when: 'before',
          error: storeError('STORE_WRITE_FAILED', `Cannot create ${name}`, { context: { errno: 'ENOSPC' } }),
        }
      : undefined,
  );
  const store = await reopenStore({
    ...full,
    async giveReserve() {
      isFull = false;
      return true;
    },
    async keepReserve() {
      [isFull, kept] = [true, kept + 1];
    },
  });
  await setHold(store, snapshots[0]!.id, { isHeld: true, reason });
  await setHold(store, snapshots[0]!.id, { isHeld: false, reason });
  await forgetSnapshot(store, snapshots[0]!.id, { reason });
  assert.equal(kept, 3, 'and what is left of it is set aside again');
});

test('the mark comes before the manifest goes, so that a crash leaves it forgotten or as it was', async () => {
  const backend = memoryBackend();
  const { snapshots } = await smallStore({ backend });
  const { id } = snapshots[0]!;
  const dying = observedBackend(backend, ({ operation }) =>
    operation === 'delete'
      ? { when: 'before', error: storeError('STORE_WRITE_FAILED', 'no power') }
      : undefined,
  );
  await assert.rejects(forgetSnapshot(await reopenStore(dying), id, { reason }), {
    code: 'STORE_WRITE_FAILED',
  });
  const store = await reopenStore(backend);
  assert.equal((await collect(store.snapshots())).length, 1);
  assert.ok(namesOf(backend, 'manifests/').includes(`manifests/${id}`));
  await forgetSnapshot(store, id, { reason });
  assert.ok(!namesOf(backend, 'manifests/').includes(`manifests/${id}`));
});

test('a snapshot that was never there cannot be forgotten or held', async () => {
  const { store } = await smallStore();
  const unknown = 'ab'.repeat(32) as SnapshotId;
  await assert.rejects(forgetSnapshot(store, unknown, { reason }), { code: 'SNAPSHOT_UNKNOWN' });
  await assert.rejects(setHold(store, unknown, { isHeld: true, reason }), { code: 'SNAPSHOT_UNKNOWN' });
});

test('a damaged manifest can be forgotten', async () => {
  const backend = memoryBackend();
  const { snapshots } = await smallStore({ backend });
  const objects = backend.snapshot();
  const name = `manifests/${snapshots[0]!.id}`;
  objects.set(name, objects.get(name)!.slice(0, 100));
  const store = await reopenStore(memoryBackend({ objects }));
  await forgetSnapshot(store, snapshots[0]!.id, { reason });
  assert.equal((await collect(store.snapshots())).length, 1);
});

test('what may not be read is not forgotten', async () => {
  const backend = memoryBackend();
  const { snapshots } = await smallStore({ backend });
  const { id } = snapshots[0]!;
  const error = storeError('STORE_READ_FAILED', 'Cannot read: denied', { context: { errno: 'EACCES' } });
  const medium = observedBackend(backend, ({ operation, name }) =>
    operation === 'get' && name === `manifests/${id}` ? { when: 'before', error } : undefined,
  );
  await assert.rejects(forgetSnapshot(await reopenStore(medium), id, { reason }), {
    code: 'STORE_READ_FAILED',
  });
  assert.deepEqual(medium.mutations, []);
});

test('a hold keeps a snapshot until it is released, as often as that changes', async () => {
  const backend = memoryBackend();
  const { store, snapshots } = await smallStore({ backend });
  const { id } = snapshots[0]!;
  for (let round = 0; round < 6; round++) {
    await setHold(store, id, { isHeld: true, reason });
    await setHold(store, id, { isHeld: true, reason });
    assert.deepEqual([...(await readHolds(store))], [id]);
    await assert.rejects(forgetSnapshot(store, id, { reason }), { code: 'SNAPSHOT_HELD' });
    await setHold(store, id, { isHeld: false, reason });
    assert.deepEqual([...(await readHolds(store))], []);
  }
  assert.equal(namesOf(backend, 'holds/').length, 12); // the 10th counts for more than the 9th, whatever their order in a list
  await forgetSnapshot(store, id, { reason });
  assert.deepEqual((await verifyStore(store)).damage, []);
});

test('a hold that cannot be read holds', async () => {
  const backend = memoryBackend();
  const { store, snapshots } = await smallStore({ backend });
  const { id } = snapshots[0]!;
  await setHold(store, id, { isHeld: true, reason });
  await setHold(store, id, { isHeld: false, reason });
  const objects = backend.snapshot();
  objects.set(`holds/${id}.2`, objects.get(`holds/${id}.2`)!.slice(0, 150));
  assert.deepEqual([...(await readHolds(await reopenStore(memoryBackend({ objects }))))], [id]);
});
