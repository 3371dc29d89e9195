import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type ChunkId,
  type ChunkRef,
  forgetSnapshot,
  memoryBackend,
  type PackId,
  recordDamage,
  StillpointError,
  type Store,
  verifyStore,
} from '../../store/index.ts';
import { namesOf, prune } from '../helpers/prune-rig.ts';
import { makeStore, reopenStore } from '../helpers/stores.ts';

const text = Buffer.from('stored once, and again after the first copy was found bad');

async function commit(store: Store): Promise<ChunkRef> {
  await using session = await store.beginBackup({ host: 'alpha' });
  const root = { id: await session.put(text, 'data'), kind: 'data' } as const;
  await session.commit({ roots: [root], body: null });
  return root;
}

const lostId = new Uint8Array(32).fill(7) as ChunkId;
const packsOf = (backend: { snapshot(): Map<string, Uint8Array> }) =>
  namesOf(backend, 'packs/').map(name => name.slice('packs/ab/'.length) as PackId);

test('a frame that is recorded as damaged is stored again by the next backup', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  await commit(store);
  const [pack] = packsOf(backend);
  const names = await recordDamage(store, [{ pack: pack!, ordinals: [0], lost: [] }]);
  assert.deepEqual(namesOf(backend, 'damage/'), names);
  const { id } = await commit(await reopenStore(backend));
  assert.equal(packsOf(backend).length, 2);
  assert.deepEqual(Buffer.from(await store.get(id, 'data')), text);
});

test('what is recorded already is not recorded again, in any of its forms', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  await commit(store);
  const [pack] = packsOf(backend) as [PackId];
  const record = (...found: Parameters<typeof recordDamage>[1]) => recordDamage(store, found);
  const one = { pack, ordinals: [0], lost: [lostId] };
  assert.equal((await record(one, one)).length, 1);
  assert.equal((await record(one, { ...one, ordinals: [] }, { ...one, pack: null })).length, 0);
  assert.equal((await record({ ...one, ordinals: 'all' })).length, 1, 'all frames is more than one');
  assert.equal((await record({ ...one, ordinals: [0, 5], lost: [] })).length, 0, 'all frames has each');
  const another = new Uint8Array(32).fill(8) as ChunkId;
  assert.equal((await record({ pack: null, ordinals: [], lost: [another, lostId] })).length, 1);
  assert.equal((await record({ pack: null, ordinals: 'all', lost: [another] })).length, 0);
  const { damage } = await verifyStore(await reopenStore(backend));
  assert.ok(
    damage.every(({ kind }) => kind === 'data-pack'),
    'every record can be read',
  );
});

test('a node that no pack has can be recorded as lost: a prune goes on once its snapshot is forgotten, and not before', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  await using session = await store.beginBackup({ host: 'alpha' });
  const id = await session.put(text, 'metadata');
  const snapshot = await session.commit({ roots: [{ id, kind: 'node' }], body: null });
  for (const name of [...namesOf(backend, 'packs/'), ...namesOf(backend, 'index/')])
    await backend.delete(name);
  await assert.rejects(prune(await reopenStore(backend)), { code: 'STORE_DAMAGED' });
  await recordDamage(store, [{ pack: null, ordinals: [], lost: [id] }]);
  await assert.rejects(prune(await reopenStore(backend)), (error: unknown) => {
    assert.ok(error instanceof StillpointError);
    assert.match(String(error.remedy), new RegExp(`stillpoint forget ${snapshot}`));
    return error.code === 'STORE_DAMAGED';
  });
  await forgetSnapshot(store, snapshot, { reason: 'a test' });
  await prune(await reopenStore(backend), { mayBeEmpty: true });
});
