import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { cutsFrom } from '../../../chunker/index.ts';
import {
  type ChunkId,
  type Entry,
  findEntry,
  ListingBuilder,
  type ListingRoot,
  readListing,
} from '../../../store/index.ts';
import { decodeNode } from '../../../store/listing/index.ts';
import { type CountedChunks, countedChunks } from '../../helpers/chunks.ts';
import { collect } from '../../helpers/collect.ts';

const cuts = cutsFrom((_, length) => Buffer.alloc(length, 7));
/** Small nodes, so that few entries make many levels. */
const small = { ...cuts.nodes, minBytes: 128, averageBytes: 512, maxBytes: 2048 };

function entry(key: string, seed = 0): Entry {
  const id = new Uint8Array(createHash('sha256').update(key).digest()) as ChunkId;
  return {
    key: Buffer.from(key),
    body: Buffer.from([0x41, seed & 0xff]),
    contents: [{ length: 10, extents: [{ kind: 'chunk', id, offset: seed, length: 10 }] }],
  };
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `dir${String(i % 97).padStart(3, '0')}/file${i}`).sort();
}

async function build(sink: CountedChunks, entries: readonly Entry[], params = small): Promise<ListingRoot> {
  const builder = new ListingBuilder(sink, params);
  for (const item of entries) await builder.add(item);
  return builder.finish();
}

function plain(entries: readonly Entry[]): unknown {
  return entries.map(({ key, body, contents }) => [Buffer.from(key), Buffer.from(body), contents.length]);
}

test('a listing reads back as it was built, from any key and under any prefix', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.uint8Array({ maxLength: 6 }), {
        maxLength: 120,
        selector: key => Buffer.from(key).toString('hex'),
      }),
      fc.uint8Array({ maxLength: 4 }),
      fc.uint8Array({ maxLength: 2 }),
      async (keys, from, prefix) => {
        const store = countedChunks();
        const sorted = keys.map(key => Buffer.from(key)).sort(Buffer.compare);
        const root = await build(
          store,
          sorted.map(key => ({ key, body: Buffer.from([1]), contents: [] })),
          {
            ...small,
            minBytes: 20,
            averageBytes: 60,
            maxBytes: 200,
          },
        );
        const expected = sorted.filter(
          key => Buffer.compare(key, from) >= 0 && key.subarray(0, prefix.length).equals(prefix),
        );
        const found = await collect(readListing(store, root, { from, prefix }));
        assert.deepEqual(
          found.map(item => Buffer.from(item.key)),
          expected,
        );
        assert.equal(root.entries, sorted.length);
      },
    ),
    { numRuns: 60 },
  );
});

test('an empty listing is one empty leaf', async () => {
  const store = countedChunks();
  const root = await build(store, []);
  assert.deepEqual([root.level, root.entries], [0, 0]);
  assert.deepEqual(await collect(readListing(store, root)), []);
  assert.equal(await findEntry(store, root, Buffer.from('x')), undefined);
});

test('an entry is found by reading one node a level', async () => {
  const store = countedChunks();
  const root = await build(
    store,
    names(5000).map(name => entry(name)),
  );
  assert.ok(root.level >= 2, `level ${root.level}`);
  store.counts.gets = 0;
  const found = await findEntry(store, root, Buffer.from('dir050/file1214'));
  assert.equal(Buffer.from(found!.key).toString(), 'dir050/file1214');
  assert.equal(store.counts.gets, root.level + 1);
  assert.equal(await findEntry(store, root, Buffer.from('dir050/file1214x')), undefined);
  assert.equal(await findEntry(store, root, Buffer.from('zzz')), undefined);
});

test('a seek skips the nodes before it', async () => {
  const store = countedChunks();
  const root = await build(
    store,
    names(5000).map(name => entry(name)),
  );
  store.counts.gets = 0;
  for await (const _ of readListing(store, root, { from: Buffer.from('dir090/') })) break;
  assert.ok(store.counts.gets <= 2 * (root.level + 1), `${store.counts.gets} nodes for level ${root.level}`);
});

test('equal entries make equal nodes, whatever was stored before', async () => {
  const used = countedChunks();
  await build(
    used,
    names(3000).map((name, i) => entry(name, i)),
  );
  const entries = names(2500).map(name => entry(name));
  assert.deepEqual(await build(used, entries), await build(countedChunks(), entries));
});

test('one changed, added or removed entry touches a few nodes of each level', async () => {
  const before = names(6000).map(name => entry(name));
  const variants: Record<string, Entry[]> = {
    changed: before.map((item, i) => (i === 3000 ? entry(names(6000)[i]!, 9) : item)),
    added: [...before.slice(0, 1000), entry(`${names(6000)[999]!}!`), ...before.slice(1000)],
    removed: before.filter((_, i) => i !== 2000),
    'added in front': [entry('a'), ...before],
  };
  for (const [what, after] of Object.entries(variants)) {
    const store = countedChunks();
    const root = await build(store, before);
    const known = store.count('metadata');
    await build(store, after);
    assert.ok(
      store.count('metadata') - known <= 3 * (root.level + 1),
      `${what}: ${store.count('metadata') - known} new nodes, ${root.level} levels`,
    );
  }
});

test('default cuts give nodes of about 8 KiB', async () => {
  const store = countedChunks();
  await build(
    store,
    names(20_000).map(name => entry(name)),
    cuts.nodes,
  );
  const mean = store.bytes('metadata') / store.count('metadata');
  assert.ok(mean > 4 * 1024 && mean < 16 * 1024, `mean ${mean}`);
});

test('a tree of huge keys still ends', async () => {
  const store = countedChunks();
  const keys = Array.from({ length: 9 }, (_, i) => Buffer.alloc(60_000, 65 + i));
  const root = await build(
    store,
    keys.map(key => ({ key, body: Buffer.from([1]), contents: [] })),
  );
  assert.equal((await collect(readListing(store, root))).length, 9);
});

test('keys must ascend', async () => {
  const builder = new ListingBuilder(countedChunks(), small);
  await builder.add(entry('b'));
  await assert.rejects(builder.add(entry('b')), RangeError);
  await assert.rejects(builder.add(entry('a')), RangeError);
});

test('a node that says other than its parent is refused', async () => {
  const store = countedChunks();
  const root = await build(
    store,
    names(400).map(name => entry(name)),
  );
  await assert.rejects(collect(readListing(store, { ...root, entries: root.entries + 1 })), {
    code: 'STORE_DAMAGED',
  });
  await assert.rejects(collect(readListing(store, { ...root, level: root.level + 1 })), {
    code: 'STORE_DAMAGED',
  });
  const other = await build(
    store,
    names(300).map(name => entry(name)),
  );
  const top = decodeNode(await store.get(root.id, 'metadata'));
  assert.ok('branches' in top);
  const swapped = { ...store, get: (id: ChunkId) => store.get(id === root.id ? other.id : id, 'metadata') };
  await assert.rejects(collect(readListing(swapped, root)), { code: 'STORE_DAMAGED' });
});

test('what was read stays as it was while reading goes on', async () => {
  const store = countedChunks();
  const entries = names(1000).map(name => entry(name));
  const root = await build(store, entries);
  assert.deepEqual(plain(await collect(readListing(store, root))), plain(entries));
});
