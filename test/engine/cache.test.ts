import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openCache, throughCache } from '../../engine/cache.ts';
import type { StoreId } from '../../store/index.ts';
import { memoryChunks } from '../helpers/memory-chunks.ts';
import { scratchFolder } from '../helpers/scratch.ts';

const id = (n: number) => new Uint8Array(32).fill(n);
const bytesOf = (text: string) => new TextEncoder().encode(text);

function optionsIn(folder: string, changes: { storeId?: string; key?: number; instance?: string } = {}) {
  return {
    folder,
    storeId: (changes.storeId ?? 'aa'.repeat(32)) as StoreId,
    instance: changes.instance ?? 'bitbucket',
    key: new Uint8Array(32).fill(changes.key ?? 7),
  };
}

async function filled(folder: string): Promise<void> {
  await using cache = await openCache(optionsIn(folder));
  cache.put('node', id(1), bytesOf('one'));
  cache.put('table', id(1), bytesOf('other'));
  cache.put('node', id(2), bytesOf('two'));
  await cache.settle();
}

test('a row comes back as it was put, by its kind and id, in the same run and the next', async () => {
  using scratch = scratchFolder();
  const folder = scratch.path;
  await using cache = await openCache(optionsIn(folder));
  const bytes = bytesOf('one');
  cache.put('node', id(1), bytes);
  bytes.fill(0);
  assert.deepEqual(await cache.get('node', id(1)), bytesOf('one'));
  assert.equal(await cache.get('table', id(1)), undefined);
  await cache.settle();
  await cache[Symbol.asyncDispose]();
  await using next = await openCache(optionsIn(folder));
  assert.deepEqual(Buffer.from((await next.get('node', id(1))) ?? []), Buffer.from('one'));
  assert.deepEqual(next.notes, []);
});

test('what a run neither got, put nor kept is gone after it settled', async () => {
  using scratch = scratchFolder();
  const folder = scratch.path;
  await filled(folder);
  {
    await using cache = await openCache(optionsIn(folder));
    await cache.get('node', id(1));
    cache.keep('table', id(1));
    cache.put('node', id(3), bytesOf('three'));
    await cache.settle();
  }
  await using cache = await openCache(optionsIn(folder));
  assert.ok(await cache.get('node', id(1)));
  assert.ok(await cache.get('node', id(3)));
  assert.ok(await cache.get('table', id(1)));
  assert.equal(await cache.get('node', id(2)), undefined);
});

test('a run that does not settle loses nothing of what was there', async () => {
  using scratch = scratchFolder();
  const folder = scratch.path;
  await filled(folder);
  {
    await using cache = await openCache(optionsIn(folder));
    cache.put('node', id(4), bytesOf('four'));
  }
  await using cache = await openCache(optionsIn(folder));
  assert.ok(await cache.get('node', id(2)));
});

test('another store, another key and another instance find nothing', async () => {
  using scratch = scratchFolder();
  const folder = scratch.path;
  await filled(folder);
  for (const other of [{ storeId: 'bb'.repeat(32) }, { instance: 'other' }]) {
    await using cache = await openCache(optionsIn(folder, other));
    assert.equal(await cache.get('node', id(1)), undefined);
  }
  await using cache = await openCache(optionsIn(folder, { key: 8 }));
  assert.equal(await cache.get('node', id(1)), undefined);
  assert.equal(cache.notes.length, 1);
});

test('a damaged cache is an empty one: no byte of it that was changed comes back', async () => {
  using scratch = scratchFolder();
  const folder = scratch.path;
  await filled(folder);
  const place = join(folder, 'aa'.repeat(32), 'bitbucket');
  const files = readdirSync(place).filter(name => name !== 'LOCK');
  const whole = new Map(files.map(name => [name, readFileSync(join(place, name))]));
  let lost = 0;
  for (const [name, original] of whole) {
    for (const damage of ['flip', 'cut', 'gone'] as const) {
      for (const [other, bytes] of whole) writeFileSync(join(place, other), bytes);
      if (damage === 'gone') rmSync(join(place, name));
      if (damage === 'cut') truncateSync(join(place, name), Math.floor(original.length / 2));
      if (damage === 'flip')
        writeFileSync(
          join(place, name),
          original.map(byte => byte ^ 0x10),
        );
      await using cache = await openCache(optionsIn(folder));
      for (const [n, text] of [
        [1, 'one'],
        [2, 'two'],
      ] as const) {
        const bytes = await cache.get('node', id(n));
        if (bytes) assert.equal(Buffer.from(bytes).toString(), text);
        else lost++;
      }
      cache.put('node', id(9), bytesOf('nine'));
      await cache.settle();
      assert.deepEqual(Buffer.from((await cache.get('node', id(9))) ?? []).toString(), 'nine');
      await cache[Symbol.asyncDispose]();
      for (const made of readdirSync(place)) rmSync(join(place, made));
    }
  }
  assert.ok(lost > 0, 'no damage was felt');
});

test('a cache that another process has open is left alone', async () => {
  using scratch = scratchFolder();
  const folder = scratch.path;
  await using first = await openCache(optionsIn(folder));
  first.put('node', id(1), bytesOf('one'));
  await using second = await openCache(optionsIn(folder));
  assert.equal(await second.get('node', id(1)), undefined);
  assert.equal(second.notes.length, 1);
  second.put('node', id(2), bytesOf('two'));
  await second.settle();
  await first.settle();
  assert.ok(await first.get('node', id(1)));
});

test('a folder that cannot be made costs the cache and nothing else', async () => {
  using scratch = scratchFolder();
  const folder = scratch.path;
  writeFileSync(join(folder, 'file'), '');
  await using cache = await openCache(optionsIn(join(folder, 'file')));
  cache.put('node', id(1), bytesOf('one'));
  assert.equal(await cache.get('node', id(1)), undefined);
  await cache.settle();
  assert.ok(cache.notes.length > 0);
});

test('metadata is read from the cache first, and left there; data never is', async () => {
  using scratch = scratchFolder();
  const folder = scratch.path;
  const chunks = memoryChunks();
  await using cache = await openCache(optionsIn(folder));
  const through = throughCache(chunks, cache);
  const node = await through.put(bytesOf('a node'), 'metadata');
  const data = await through.put(bytesOf('some data'), 'data');
  assert.deepEqual(await cache.get('node', node), bytesOf('a node'));
  assert.equal(await cache.get('node', data), undefined);
  const other = throughCache(
    { put: chunks.put, get: () => Promise.reject(new Error('asked the store')) },
    cache,
  );
  assert.deepEqual(await other.get(node, 'metadata'), bytesOf('a node'));
  await assert.rejects(other.get(data, 'data'), /asked the store/);
});
