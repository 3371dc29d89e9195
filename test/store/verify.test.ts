import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MemoryObjects } from '../../store/backend/index.ts';
import { type Backend, memoryBackend, verifyStore } from '../../store/index.ts';
import { smallStore } from '../helpers/small-store.ts';
import { reopenStore } from '../helpers/stores.ts';

async function made() {
  const backend = memoryBackend();
  const { snapshots } = await smallStore({ backend });
  return { objects: backend.snapshot(), snapshots };
}

test('a whole store has no damage', async () => {
  const { objects, snapshots } = await made();
  const store = await reopenStore(memoryBackend({ objects }));
  for (const readData of [0, 1]) {
    const result = await verifyStore(store, { readData });
    assert.deepEqual(result.damage, []);
    assert.equal(result.isOk, true);
    assert.deepEqual(result.snapshots.map(({ id }) => id).sort(), snapshots.map(({ id }) => id).sort());
    assert.ok(result.chunksChecked > 0);
  }
});

test('each byte that is flipped is found, and its object is named', async () => {
  const { objects } = await made();
  const { backend, breakAt } = flipping(objects);
  const store = await reopenStore(backend);
  for (const [name, bytes] of objects) {
    for (let at = 0; at < bytes.length; at++) {
      breakAt(name, at);
      const { damage } = await verifyStore(store, { readData: 1 });
      const isNamed = damage.some(({ object }) => object === name);
      assert.ok(isNamed, `byte ${at} of ${name}: ${JSON.stringify(damage)}`);
    }
  }
});

/** Objects of which one byte can be made wrong. */
function flipping(objects: MemoryObjects): { backend: Backend; breakAt(name: string, at: number): void } {
  let whole = memoryBackend({ objects });
  let broken: { name: string; bytes: Uint8Array } | undefined;
  const backend: Backend = {
    ...whole,
    get: (name, options) =>
      name === broken?.name
        ? memoryBackend({ objects: new Map([[name, broken.bytes]]) }).get(name, options)
        : whole.get(name, options),
  };
  return {
    backend,
    breakAt(name, at) {
      whole = memoryBackend({ objects });
      const bytes = objects.get(name)!.slice();
      bytes[at]! ^= 1 << (at % 8);
      broken = { name, bytes };
    },
  };
}
