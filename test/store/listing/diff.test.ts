import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { cutsFrom } from '../../../chunker/index.ts';
import {
  type ChunkId,
  type Difference,
  diffListings,
  type Entry,
  ListingBuilder,
  ListingCursor,
  type ListingRoot,
  readListing,
} from '../../../store/index.ts';
import { type CountedChunks, countedChunks } from '../../helpers/chunks.ts';
import { collect } from '../../helpers/collect.ts';

const cuts = cutsFrom((_, length) => Buffer.alloc(length, 7));
/** Small nodes, so that few entries make many levels. */
const small = { ...cuts.nodes, minBytes: 128, averageBytes: 512, maxBytes: 2048 };

function entry(key: string, version: number): Entry {
  const id = new Uint8Array(createHash('sha256').update(`${key} ${version}`).digest()) as ChunkId;
  return {
    key: Buffer.from(key),
    body: Buffer.from([0x41, version & 0xff]),
    contents: [{ length: 10, extents: [{ kind: 'chunk', id, offset: 0, length: 10 }] }],
  };
}

async function build(sink: CountedChunks, versions: ReadonlyMap<string, number>): Promise<ListingRoot> {
  const builder = new ListingBuilder(sink, small);
  const keys = [...versions.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const key of keys) await builder.add(entry(key, versions.get(key)!));
  return builder.finish();
}

const told = ({ before, after }: Difference): string =>
  `${Buffer.from((before ?? after).key)}: ${before?.body[1] ?? '-'} ${after?.body[1] ?? '-'}`;

function expected(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): string[] {
  const keys = [...new Set([...a.keys(), ...b.keys()])].sort((x, y) =>
    Buffer.compare(Buffer.from(x), Buffer.from(y)),
  );
  return keys
    .filter(key => a.get(key) !== b.get(key))
    .map(key => `${key}: ${a.get(key) ?? '-'} ${b.get(key) ?? '-'}`);
}

const versions = (count: number): Map<string, number> =>
  new Map(Array.from({ length: count }, (_, i) => [`d${i % 31}/f${String(i).padStart(5, '0')}`, 1]));

test('what differs between two listings is told, and nothing else, in the order of keys', async () => {
  const edit = fc.record({
    at: fc.nat(999),
    length: fc.integer({ min: 1, max: 40 }),
    what: fc.constantFrom('remove', 'change', 'insert'),
  });
  await fc.assert(
    fc.asyncProperty(fc.nat(1000), fc.array(edit, { maxLength: 6 }), async (count, edits) => {
      const before = versions(count);
      const after = new Map(before);
      for (const { at, length, what } of edits)
        for (const key of [...before.keys()].slice(at, at + length)) {
          if (what === 'remove') after.delete(key);
          else if (what === 'change') after.set(key, 2);
          else after.set(`${key}+`, 3);
        }
      const chunks = countedChunks();
      const roots = { before: await build(chunks, before), after: await build(chunks, after) };
      assert.deepEqual((await collect(diffListings(chunks, roots))).map(told), expected(before, after));
      const back = { before: roots.after, after: roots.before };
      assert.deepEqual((await collect(diffListings(chunks, back))).map(told), expected(after, before));
    }),
    { numRuns: 60 },
  );
});

test('of two listings that are equal not one node is read, of two that differ in an entry a few', async () => {
  const chunks = countedChunks();
  const before = versions(5_000);
  const after = new Map(before).set('d7/f02500', 9);
  const roots = { before: await build(chunks, before), after: await build(chunks, after) };
  assert.ok(roots.before.level >= 2);
  chunks.counts.gets = 0;
  assert.deepEqual(await collect(diffListings(chunks, { before: roots.before, after: roots.before })), []);
  assert.equal(chunks.counts.gets, 0);
  const found = await collect(diffListings(chunks, roots));
  assert.deepEqual(found.map(told), expected(before, after));
  assert.ok(chunks.counts.gets <= 2 * (roots.before.level + 2), `${chunks.counts.gets} reads`);
});

test('a listing and an empty one differ in all', async () => {
  const chunks = countedChunks();
  const full = versions(300);
  const roots = { before: await build(chunks, new Map()), after: await build(chunks, full) };
  assert.equal((await collect(diffListings(chunks, roots))).length, 300);
});

test('a cursor finds any key, and reads no node that it can pass', async () => {
  const chunks = countedChunks();
  const root = await build(chunks, versions(5_000));
  const keys = (await collect(readListing(chunks, root))).map(({ key }) => Buffer.from(key));
  chunks.counts.gets = 0;
  const cursor = new ListingCursor(chunks, root);
  for (const at of [0, 1, 2_000, 2_001, 4_999]) {
    await cursor.seek(keys[at]!);
    assert.deepEqual(Buffer.from((await cursor.peek())!.key), keys[at]);
  }
  assert.ok(chunks.counts.gets <= 4 * (root.level + 1), `${chunks.counts.gets} reads`);
  await cursor.next();
  assert.equal(await cursor.next(), undefined);
  await cursor.seek(Buffer.from('zz'));
  assert.equal(await cursor.peek(), undefined);
});
