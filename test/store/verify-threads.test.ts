import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryBackend, verifyStore } from '../../store/index.ts';
import { pseudoRandom } from '../helpers/home-tree.ts';
import { commitFiles } from '../helpers/small-store.ts';
import { makeStore, reopenStore } from '../helpers/stores.ts';

test('threads find in packs what one thread finds', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const files = Array.from(
    { length: 30 },
    (_, i) => [`f${i}`, Buffer.from(pseudoRandom(90_000, i + 1))] as const,
  );
  await commitFiles(store, new Map(files));
  const results = [];
  for (const harm of ['none', 'frame', 'header'] as const) {
    const objects = new Map(backend.snapshot());
    for (const [name, bytes] of objects) {
      if (harm === 'none' || !name.startsWith('packs/') || bytes[5] !== 2) continue;
      const wrong = bytes.slice();
      wrong[harm === 'frame' ? Math.floor(bytes.length / 2) : 40]! ^= 1;
      objects.set(name, wrong);
    }
    for (const threads of [0, 1]) {
      const damaged = await reopenStore(memoryBackend({ objects }));
      const { isOk, damage, chunksChecked } = await verifyStore(damaged, { readData: 1, threads });
      results.push({ harm, isOk, damage, chunksChecked });
    }
  }
  for (const [i, result] of results.entries()) assert.deepEqual(result, results[i - (i % 2)]);
  assert.deepEqual(
    results.map(({ isOk }) => isOk),
    [true, true, false, false, false, false],
  );
});
