import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type MemoryObjects, memoryBackend } from '../../store/backend/index.ts';
import { isStoreError, setHold, verifyStore } from '../../store/index.ts';
import { commitFiles, smallStore } from '../helpers/small-store.ts';
import { makeStore, reopenStore } from '../helpers/stores.ts';

/** Whether a store does not open, or names damage. */
async function isFound(objects: MemoryObjects): Promise<boolean> {
  try {
    const store = await reopenStore(memoryBackend({ objects }));
    return (await verifyStore(store, { readData: 1 })).damage.length > 0;
  } catch (error) {
    assert.ok(isStoreError(error), String(error));
    return true;
  }
}

test('no object of a store can stand for another one, of its kind or not', async () => {
  const backend = memoryBackend();
  const { store, snapshots } = await smallStore({ backend, snapshots: 1 });
  await setHold(store, snapshots[0]!.id, { isHeld: true, reason: 'a test' });
  const objects = backend.snapshot();
  assert.equal(await isFound(objects), false);
  for (const name of objects.keys())
    for (const [other, bytes] of objects)
      if (other !== name) assert.ok(await isFound(new Map(objects).set(name, bytes)), `${other} as ${name}`);
});

test('no object of a store made like another can stand in that one', async () => {
  const backend = memoryBackend();
  const { store, snapshots } = await smallStore({ backend, snapshots: 1 });
  const twinBackend = memoryBackend();
  const twin = await makeStore({ backend: twinBackend, like: store });
  const same = await commitFiles(twin, snapshots[0]!.files);
  assert.deepEqual(same.root, snapshots[0]!.root, 'both name their contents alike');
  const objects = backend.snapshot();
  const folder = (name: string) => name.split('/')[0];
  for (const name of objects.keys())
    for (const [other, bytes] of twinBackend.snapshot())
      if (folder(other) === folder(name))
        assert.ok(await isFound(new Map(objects).set(name, bytes)), `${other} as ${name}`);
});
