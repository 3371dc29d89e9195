import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { cutsFrom } from '../../../chunker/index.ts';
import {
  type ChunkId,
  type ChunkSource,
  type Entry,
  type ListedNode,
  ListingBuilder,
  type ListingRoot,
  readListing,
  readListingNodes,
} from '../../../store/index.ts';
import { countedChunks } from '../../helpers/chunks.ts';
import { collect } from '../../helpers/collect.ts';
import { memoryChunks } from '../../helpers/memory-chunks.ts';

const cuts = cutsFrom((_, length) => Buffer.alloc(length, 7));
/** Small nodes, so that few entries make many levels. */
const small = { ...cuts.nodes, minBytes: 128, averageBytes: 384, maxBytes: 1024 };

function entry(key: string, seed = 0): Entry {
  const id = new Uint8Array(createHash('sha256').update(key).digest()) as ChunkId;
  const extents = seed % 7 === 3 ? [] : [{ kind: 'chunk' as const, id, offset: seed, length: 10 }];
  return {
    key: Buffer.from(key),
    body: Buffer.from([0x41, seed & 0xff]),
    contents: [{ length: 10, extents }],
  };
}

const names = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => String(i * 10).padStart(6, '0'));

async function build(sink: ReturnType<typeof memoryChunks>, entries: readonly Entry[]): Promise<ListingRoot> {
  const builder = new ListingBuilder(sink, small);
  for (const item of entries) await builder.add(item);
  return builder.finish();
}

interface Piece extends ListedNode {
  /** Positions of its entries in the listing. */
  readonly from: number;
  readonly to: number;
}

/** Every node of a listing, the largest first. */
async function piecesOf(source: ChunkSource, root: ListingRoot): Promise<Piece[]> {
  let count = 0;
  const pieces: Piece[] = [];
  for (const { node, entries } of await collect(readListingNodes(source, root))) {
    count += entries?.length ?? 0;
    pieces.push({ ...node, from: count - node.entries, to: count });
  }
  return pieces.sort((a, b) => b.level - a.level);
}

/** What became of each entry of the base. */
type Fate = 'kept' | 'changed' | 'removed' | 'followed';

/** Builds the changed listing by reusing what it can; returns how many entries needed no encoding. */
async function rebuild(
  sink: ReturnType<typeof memoryChunks>,
  {
    base,
    fates,
    pieces,
    levelMax,
  }: { base: readonly Entry[]; fates: readonly Fate[]; pieces: readonly Piece[]; levelMax: number },
): Promise<{ root: ListingRoot; reused: number; after: Entry[] }> {
  const builder = new ListingBuilder(sink, small);
  const after: Entry[] = [];
  let reused = 0;
  for (let at = 0; at < base.length; ) {
    const piece = pieces.find(
      ({ from, to, ...node }) =>
        from === at &&
        node.level <= levelMax &&
        builder.canReuse(node) &&
        fates.slice(from, to).every(fate => fate === 'kept'),
    );
    if (piece) {
      await builder.reuse(piece);
      after.push(...base.slice(at, piece.to));
      reused += piece.to - at;
      at = piece.to;
      continue;
    }
    const [item, fate] = [base[at]!, fates[at]!];
    const made =
      fate === 'removed' ? [] : [fate === 'changed' ? entry(Buffer.from(item.key).toString(), 9) : item];
    if (fate === 'followed') made.push(entry(`${Buffer.from(item.key)}+`, 3));
    for (const one of made) await builder.add(one);
    after.push(...made);
    at++;
  }
  return { root: await builder.finish(), reused, after };
}

/** Mostly kept, in runs, so that whole nodes of several levels are. */
const fates = fc
  .array(
    fc.record({
      fate: fc.oneof(
        { weight: 3, arbitrary: fc.constant<Fate>('kept') },
        fc.constantFrom<Fate>('changed', 'removed', 'followed'),
      ),
      run: fc.nat(120),
    }),
    { minLength: 1, maxLength: 14 },
  )
  .map(runs =>
    runs.flatMap(({ fate, run }) =>
      Array.from({ length: fate === 'kept' ? run : 1 + (run % 3) }, () => fate),
    ),
  );

test('a listing that reuses nodes has the root of one that is built from every entry', async () => {
  let reused = 0;
  await fc.assert(
    fc.asyncProperty(fates, fc.nat(3), async (made, levelMax) => {
      const store = memoryChunks();
      const base = names(made.length).map((name, i) => entry(name, i));
      const pieces = await piecesOf(store, await build(store, base));
      const result = await rebuild(store, { base, fates: made, pieces, levelMax });
      assert.deepEqual(result.root, await build(memoryChunks(), result.after));
      const read = await collect(readListing(store, result.root));
      assert.deepEqual(
        read.map(({ key }) => Buffer.from(key)),
        result.after.map(({ key }) => Buffer.from(key)),
      );
      reused += result.reused;
    }),
    { numRuns: 300 },
  );
  assert.ok(reused > 10_000, `${reused} entries reused: the property must not hold for want of reuse`);
});

test('an unchanged listing but for its last entry stores one node a level', async () => {
  const store = memoryChunks();
  const base = names(4000).map((name, i) => entry(name, i));
  const root = await build(store, base);
  assert.ok(root.level >= 3);
  const pieces = await piecesOf(store, root);
  const made = base.map((_, i): Fate => (i === base.length - 1 ? 'changed' : 'kept'));
  let puts = 0;
  store.onPut = () => puts++;
  await rebuild(store, { base, fates: made, pieces, levelMax: 9 });
  assert.equal(puts, root.level + 1);
});

test('nodes come with what is said of them: keys, counts, and whether they ended with a cut', async () => {
  const store = memoryChunks();
  const base = names(2000).map(name => entry(name));
  const root = await build(store, base);
  const pieces = await piecesOf(store, root);
  for (let level = 0; level <= root.level; level++) {
    const here = pieces.filter(piece => piece.level === level).sort((a, b) => a.from - b.from);
    assert.equal(here[0]!.from, 0);
    assert.equal(here.at(-1)!.to, base.length);
    for (const [i, { from, first, key, to, isCut }] of here.entries()) {
      assert.deepEqual([Buffer.from(first), Buffer.from(key)], [base[from]!.key, base[to - 1]!.key]);
      assert.equal(isCut, i < here.length - 1, 'only the last of a level may have ended without a cut');
    }
  }
});

test('a node is refused where the one before it has no end, out of order, or when its own end is unknown', async () => {
  const store = memoryChunks();
  const base = names(300).map(name => entry(name));
  const pieces = (await piecesOf(store, await build(store, base))).filter(({ level }) => level === 0);
  const [first, second] = [pieces[0]!, pieces[1]!];
  const builder = new ListingBuilder(store, small);
  await builder.add(entry('!'));
  assert.equal(builder.canReuse(first), false);
  await assert.rejects(builder.reuse(first), RangeError);
  const other = new ListingBuilder(store, small);
  await other.reuse(second);
  await assert.rejects(other.reuse(first), RangeError);
  const last = pieces.at(-1)!;
  assert.equal(new ListingBuilder(store, small).canReuse(last), false);
  await assert.rejects(new ListingBuilder(store, small).reuse(last), RangeError);
});

test('reading ahead is bounded', async () => {
  const store = countedChunks();
  const root = await build(
    store,
    names(4000).map(name => entry(name)),
  );
  store.counts.gets = 0;
  for await (const _ of readListingNodes(store, root, { ahead: 4 })) break;
  assert.ok(store.counts.gets <= (root.level + 1) * 6, `${store.counts.gets}`);
});

test('nodes that are each in order, but not one after the other, are refused', async () => {
  const store = memoryChunks();
  const root = await build(
    store,
    names(300).map(name => entry(name)),
  );
  const other = await build(
    store,
    names(300).map(name => entry(`9${name}`)),
  );
  const [leaf] = (await piecesOf(store, root)).filter(({ level }) => level === 0);
  const [foreign] = (await piecesOf(store, other)).filter(({ level }) => level === 0);
  const swapped: ChunkSource = {
    get: (id, chunkClass) => store.get(Buffer.compare(id, leaf!.node) === 0 ? foreign!.node : id, chunkClass),
  };
  await assert.rejects(collect(readListingNodes(swapped, root)), { code: 'STORE_DAMAGED' });
});
