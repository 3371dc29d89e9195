import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MemoryObjects } from '../../store/backend/index.ts';
import { type Backend, isStoreError, memoryBackend, verifyStore } from '../../store/index.ts';
import { readFiles, smallStore } from '../helpers/small-store.ts';
import { reopenStore } from '../helpers/stores.ts';

const made = memoryBackend();
const { snapshots } = await smallStore({ backend: made, snapshots: 1 });
const objects = made.snapshot();
const [snapshot] = snapshots;

/** Objects of which one byte can be made wrong. */
function flipping(): { backend: Backend; breakAt(name: string, at: number): void } {
  const whole = memoryBackend({ objects });
  let broken: { name: string; objects: MemoryObjects } | undefined;
  return {
    backend: {
      ...whole,
      get: (name, options) =>
        name === broken?.name
          ? memoryBackend({ objects: broken.objects }).get(name, options)
          : whole.get(name, options),
    },
    breakAt(name, at) {
      const bytes = objects.get(name)!.slice();
      bytes[at]! ^= 1 << (at % 8);
      broken = { name, objects: new Map([[name, bytes]]) };
    },
  };
}

test('each byte of a store that is flipped is found by verify, which names its object', async () => {
  const { backend, breakAt } = flipping();
  const store = await reopenStore(backend);
  for (const [name, bytes] of objects) {
    for (let at = 0; at < bytes.length; at++) {
      breakAt(name, at);
      const { damage } = await verifyStore(store, { readData: name.startsWith('packs/') ? 1 : 0 });
      assert.ok(
        damage.some(({ object }) => object === name),
        `byte ${at} of ${name}: ${JSON.stringify(damage)}`,
      );
    }
  }
});

test('no flipped byte makes a reader see other bytes, or another snapshot', async () => {
  const { backend, breakAt } = flipping();
  let wholeReads = 0;
  for (const [name, bytes] of objects) {
    // Each byte of a small object; of keys and config, which cost a key derivation each time, every seventh.
    const step =
      name.startsWith('packs/') || name.startsWith('index/') || name.startsWith('manifests/') ? 1 : 7;
    for (let at = 0; at < bytes.length; at += step) {
      breakAt(name, at);
      try {
        const store = await reopenStore(backend);
        const { roots, id } = await store.manifest(snapshot!.id);
        assert.equal(id, snapshot!.id);
        assert.deepEqual(roots[0]!.id, snapshot!.root.id);
        assert.deepEqual(await readFiles(store, snapshot!.root), snapshot!.files);
        wholeReads += 1;
      } catch (error) {
        assert.ok(isStoreError(error), `byte ${at} of ${name}: ${String(error)}`);
        assert.ok(
          ['STORE_DAMAGED', 'STORE_OBJECT_MISSING'].includes(error.code),
          `byte ${at} of ${name}: ${error.code}`,
        );
      }
    }
  }
  // What has a second source, such as the index, is read all the same.
  assert.ok(wholeReads >= [...objects].find(([name]) => name.startsWith('index/'))![1].length);
});
