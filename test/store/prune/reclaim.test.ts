import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { memoryBackend } from '../../../store/index.ts';
import { checkWhole, drop, namesOf, prune } from '../../helpers/prune-rig.ts';
import { commitFiles } from '../../helpers/small-store.ts';
import { makeStore } from '../../helpers/stores.ts';

const files = (...names: string[]): Map<string, Buffer> => new Map(names.map(name => [name, content(name)]));
const contents = new Map<string, Buffer>();

/** The same content for the same name, of a size that no small overhead outweighs. */
function content(name: string): Buffer {
  let bytes = contents.get(name);
  if (bytes === undefined) {
    bytes = randomBytes(3000);
    contents.set(name, bytes);
  }
  return bytes;
}

test('what only a forgotten snapshot needed goes, and the others are what they were', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const first = await commitFiles(store, files('a', 'b'));
  const second = await commitFiles(store, files('c', 'd'));
  const before = namesOf(backend, 'packs/').length;
  const result = await drop(store, first);
  assert.equal(result.deletedPacks, 2);
  assert.equal(result.rewrittenPacks, 0);
  assert.ok(result.freedBytes > 6000);
  assert.equal(namesOf(backend, 'packs/').length, before - 2);
  await checkWhole(backend, [second]);
  assert.deepEqual(namesOf(backend, 'sessions/'), []);
});

test('what a pack still holds of use is copied before the pack goes', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const first = await commitFiles(store, files('a', 'b', 'c', 'd'));
  const second = await commitFiles(store, files('a', 'e'));
  const result = await drop(store, first);
  assert.equal(result.rewrittenPacks, 1);
  assert.ok(result.freedBytes > 9000);
  await checkWhole(backend, [second]);
  assert.equal((await prune(store)).freedBytes, 0);
  const third = await commitFiles(store, files('a', 'b', 'e'));
  await checkWhole(backend, [second, third]);
});

test('a prune without anything to do does nothing, and soon needs no generation', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const snapshots = [await commitFiles(store, files('a', 'b')), await commitFiles(store, files('a', 'c'))];
  const before = backend.snapshot();
  assert.equal((await prune(store)).deletedPacks, 0);
  assert.deepEqual(backend.snapshot(), before);
  await drop(store, snapshots[0]!);
  await prune(store);
  const settled = backend.snapshot();
  await prune(store);
  assert.deepEqual([...backend.snapshot().keys()], [...settled.keys()]);
});
