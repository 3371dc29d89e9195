import assert from 'node:assert/strict';
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { openCache } from '../../engine/cache.ts';
import type { StoreId } from '../../store/index.ts';
import { pseudoRandom } from '../helpers/home-tree.ts';
import { scratchFolder } from '../helpers/scratch.ts';

const id = new Uint8Array(32).fill(7);
const parts = [pseudoRandom(3_000_000), new Uint8Array(0), pseudoRandom(17)];
const place = { storeId: 'ab'.repeat(16) as StoreId, instance: 'one', key: new Uint8Array(32).fill(1) };

async function planted(folder: string) {
  await using cache = await openCache({ ...place, folder });
  await cache.large.put(id, parts);
  await cache.settle();
  const rows = `${folder}/${place.storeId}/one/large`;
  return { rows, file: `${rows}/${readdirSync(rows)[0]}` };
}

test('a large row comes back as it was put, in a buffer that begins at its beginning', async () => {
  using scratch = scratchFolder();
  await planted(scratch.path);
  await using cache = await openCache({ ...place, folder: scratch.path });
  const row = await cache.large.get(id);
  assert.deepEqual(Buffer.from(row!), Buffer.concat(parts));
  assert.equal(row!.byteOffset, 0);
  assert.equal(await cache.large.get(new Uint8Array(32)), undefined);
});

test('a large row that was changed, cut short, or is of another store is not there', async () => {
  using scratch = scratchFolder();
  const { file } = await planted(scratch.path);
  await using cache = await openCache({ ...place, folder: scratch.path });
  const whole = readFileSync(file);
  for (const at of [0, 1_500_000, whole.length - 1]) {
    writeFileSync(
      file,
      whole.map((byte, place) => (place === at ? byte ^ 1 : byte)),
    );
    assert.equal(await cache.large.get(id), undefined);
  }
  for (const bytes of [whole.length - 1, 31, 0]) {
    writeFileSync(file, whole);
    truncateSync(file, bytes);
    assert.equal(await cache.large.get(id), undefined);
  }
  writeFileSync(file, whole);
  await using other = await openCache({
    ...{ ...place, instance: 'two', key: new Uint8Array(32).fill(2) },
    folder: scratch.path,
  });
  assert.equal(await other.large.get(id), undefined);
  assert.ok(await cache.large.get(id));
});

test('a large row that a run neither got nor put is dropped, and so is one that was being written', async () => {
  using scratch = scratchFolder();
  const { rows } = await planted(scratch.path);
  writeFileSync(`${rows}/left.new`, 'half');
  {
    await using cache = await openCache({ ...place, folder: scratch.path });
    await cache.large.get(id);
    await cache.settle();
  }
  assert.equal(readdirSync(rows).length, 1);
  await using cache = await openCache({ ...place, folder: scratch.path });
  await cache.settle();
  assert.deepEqual(readdirSync(rows), []);
});
