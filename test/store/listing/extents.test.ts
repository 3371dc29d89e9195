import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cutsFrom } from '../../../chunker/index.ts';
import { type ChunkId, type Content, type Extent, extentsOf, storeExtents } from '../../../store/index.ts';
import { extentLength } from '../../../store/listing/index.ts';
import { collect } from '../../helpers/collect.ts';
import { memoryChunks } from '../../helpers/memory-chunks.ts';
import { seededRandomness } from '../../helpers/seeded.ts';

const nodes = {
  ...cutsFrom((_, length) => Buffer.alloc(length, 7)).nodes,
  minBytes: 200,
  averageBytes: 800,
  maxBytes: 3200,
};
const randomness = seededRandomness('ids');
const ids = Array.from({ length: 12 }, () => randomness.bytes(32) as ChunkId);

function chunkExtents(count: number): Extent[] {
  const random = seededRandomness('extents');
  return Array.from({ length: count }, () => ({
    kind: 'chunk',
    id: random.bytes(32) as ChunkId,
    offset: 0,
    length: 1000,
  }));
}

/** What the extents stand for, a letter a byte: the same for every way to say it. */
function spelled(extents: readonly Extent[]): string {
  return extents
    .map(extent => {
      if (extent.kind === 'hole') return '.'.repeat(extent.length);
      if (extent.kind === 'inline') return Buffer.from(extent.bytes).toString('latin1');
      const letter = ids.findIndex(id => Buffer.compare(id, extent.id) === 0);
      return Array.from({ length: extent.length }, (_, i) => `<${letter}:${extent.offset + i}>`).join('');
    })
    .join('');
}

const anyExtent: fc.Arbitrary<Extent> = fc.oneof(
  fc.nat(9).map(length => ({ kind: 'hole' as const, length })),
  fc.uint8Array({ maxLength: 70 }).map(bytes => ({ kind: 'inline' as const, bytes })),
  fc
    .tuple(fc.constantFrom(...ids), fc.nat(20), fc.nat(9))
    .map(([id, offset, length]) => ({ kind: 'chunk' as const, id, offset, length })),
);

test('a content reads back as the same bytes, in place or as a list, and never the same in two ways', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyExtent, { maxLength: 150 }), fc.nat(100), async (extents, cutAt) => {
      const store = memoryChunks();
      const content = await storeExtents(store, nodes, extents);
      const read = await collect(extentsOf(store, content));
      assert.equal(spelled(read), spelled(extents));
      assert.equal(
        content.length,
        extents.reduce((sum, extent) => sum + extentLength(extent), 0),
      );
      assert.equal('list' in content, read.length > 32);
      assert.deepEqual(await storeExtents(store, nodes, splitAt(extents, cutAt)), content);
    }),
    { numRuns: 80 },
  );
});

/** The same bytes with one hole or chunk extent said in two pieces. */
function splitAt(extents: readonly Extent[], position: number): Extent[] {
  return extents.flatMap((extent, i): Extent[] => {
    if (i !== position || extent.kind === 'inline' || extent.length < 2) return [extent];
    if (extent.kind === 'hole')
      return [
        { ...extent, length: 1 },
        { ...extent, length: extent.length - 1 },
      ];
    return [
      { ...extent, length: 1 },
      { ...extent, offset: extent.offset + 1, length: extent.length - 1 },
    ];
  });
}

test('an extent put in front of ten thousand changes a few nodes', async () => {
  const store = memoryChunks();
  const extents = chunkExtents(10_000);
  await storeExtents(store, nodes, extents);
  const known = store.count('metadata');
  await storeExtents(store, nodes, [{ kind: 'inline', bytes: Buffer.from('new') }, ...extents]);
  assert.ok(store.count('metadata') - known <= 15, `${store.count('metadata') - known} new nodes`);
});

test('the same chunk ten thousand times is a list of a few distinct nodes', async () => {
  const store = memoryChunks();
  const extents = Array.from(
    { length: 10_000 },
    (): Extent => ({ kind: 'chunk', id: ids[0]!, offset: 0, length: 5 }),
  );
  const content = await storeExtents(store, nodes, extents);
  assert.equal(content.length, 50_000);
  assert.equal((await collect(extentsOf(store, content))).length, 10_000);
});

test('a list whose sums do not agree is refused', async () => {
  const store = memoryChunks();
  const content = await storeExtents(store, nodes, chunkExtents(500));
  const longer: Content = { ...content, length: content.length + 1 };
  await assert.rejects(collect(extentsOf(store, longer)), { code: 'STORE_DAMAGED' });
});

test('more than 128 inline bytes and impossible lengths are the caller’s mistake', async () => {
  const bad: Extent[] = [
    { kind: 'inline', bytes: Buffer.alloc(129) },
    { kind: 'hole', length: -1 },
    { kind: 'hole', length: 2 ** 53 },
    { kind: 'chunk', id: ids[0]!, offset: -1, length: 3 },
  ];
  for (const extent of bad) await assert.rejects(storeExtents(memoryChunks(), nodes, [extent]), RangeError);
  const half: Extent = { kind: 'chunk', id: ids[0]!, offset: 0, length: 2 ** 52 };
  const other: Extent = { ...half, id: ids[1]! };
  await assert.rejects(storeExtents(memoryChunks(), nodes, [half, other, half]), RangeError);
});
