import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  beginRepair,
  type MemoryBackend,
  type Mended,
  memoryBackend,
  type Store,
  verifyStore,
} from '../../store/index.ts';
import { checkWhole, copyOf, namesOf } from '../helpers/prune-rig.ts';
import { smallStore } from '../helpers/small-store.ts';
import { reopenStore } from '../helpers/stores.ts';

/** Mends a store without a hand from outside. */
async function mend(store: Store): Promise<Mended> {
  await using repair = await beginRepair(store, { host: 'alpha', readData: true });
  const mended = await repair.mend();
  const settled = await repair.settle([]);
  return { ...mended, recorded: [...mended.recorded, ...settled] };
}

function flip(backend: MemoryBackend, name: string, at: number): MemoryBackend {
  const objects = new Map(backend.snapshot());
  const bytes = objects.get(name)!.slice();
  bytes.at(at);
  bytes[at < 0 ? bytes.length + at : at]! ^= 0x10;
  return memoryBackend({ objects: objects.set(name, bytes) });
}

function without(backend: MemoryBackend, ...names: string[]): MemoryBackend {
  const objects = new Map(backend.snapshot());
  for (const name of names) objects.delete(name);
  return memoryBackend({ objects });
}

async function made() {
  const backend = memoryBackend();
  return { backend, ...(await smallStore({ backend })) };
}

/** A second repair finds nothing to do, and writes nothing. */
async function checkSettled(backend: MemoryBackend): Promise<void> {
  const before = backend.snapshot();
  assert.deepEqual(await mend(await reopenStore(backend)), { rebuilt: [], recorded: [], healed: [] });
  assert.deepEqual([...backend.snapshot().keys()].sort(), [...before.keys()].sort());
}

test('a repair of a whole store writes nothing', async () => {
  const { backend } = await made();
  await checkSettled(backend);
});

test('an index that is gone, or damaged in part or wholly, is rebuilt from the packs', async () => {
  const { backend, snapshots } = await made();
  const parts = namesOf(backend, 'index/');
  assert.ok(parts.length > 1);
  const all = parts.reduce((broken, name) => flip(broken, name, 110), copyOf(backend));
  for (const broken of [without(backend, ...parts), flip(backend, parts[0]!, 110), all]) {
    const { rebuilt, recorded } = await mend(await reopenStore(broken));
    assert.ok(rebuilt.length > 0);
    assert.deepEqual(recorded, []);
    await checkWhole(broken, snapshots);
    await checkSettled(broken);
  }
});

test('a pack that cannot say what it holds, and that the index lists, is copied into a new one', async () => {
  const { backend, snapshots } = await made();
  for (const name of namesOf(backend, 'packs/')) {
    for (const at of [-3, -30]) {
      const broken = flip(backend, name, at);
      const { healed, recorded } = await mend(await reopenStore(broken));
      assert.deepEqual(
        healed.map(({ object }) => object),
        [name],
      );
      assert.deepEqual(recorded, [{ object: name, frames: 'all', lost: 0 }]);
      await checkWhole(broken, snapshots);
      await checkWhole(without(broken, name), snapshots, { where: 'nothing depends on it any more' });
      await checkSettled(broken);
    }
  }
});

test('a lost chunk that is put again heals every snapshot that needs it', async () => {
  const { backend, snapshots } = await made();
  for (const name of namesOf(backend, 'packs/')) {
    const broken = flip(backend, name, 130);
    const store = await reopenStore(broken);
    const { damage, affected } = await verifyStore(store, { readData: 1 });
    assert.deepEqual(
      damage.map(({ object }) => object),
      [name],
    );
    await mend(store);
    await checkSettled(broken);
    assert.equal(
      (await verifyStore(await reopenStore(broken), { readData: 1 })).affected.length,
      affected.length,
    );
  }
  void snapshots;
});
