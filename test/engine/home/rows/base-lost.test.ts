import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { HomeBase, HomeEntry } from '../../../../engine/home/index.ts';
import { type ChunkId, type Content, findEntry } from '../../../../store/index.ts';
import { age, captureHome, next, started } from '../../../helpers/home-on-base.ts';
import { pseudoRandom } from '../../../helpers/home-tree.ts';
import { memoryChunks } from '../../../helpers/memory-chunks.ts';
import type { CapturedHome } from '../../../helpers/one-home.ts';
import { scratchFolder } from '../../../helpers/scratch.ts';

const chunkOf = (entry: HomeEntry | undefined): ChunkId => {
  const extents = entry?.content && 'extents' in entry.content ? entry.content.extents : [];
  const [only] = extents;
  assert(only?.kind === 'chunk', 'one chunk');
  return only.id;
};

test('a file whose chunk is lost, or about to go, is read again although it did not change', async () => {
  using scratch = scratchFolder();
  const before = await started(scratch.path);
  const lost = chunkOf(before.entries.get('b/long'));
  before.chunks.lose(lost, 'data');
  const found = await next(scratch.path, before);
  assert.deepEqual(found.read, ['b/long']);
  assert.equal(before.chunks.has(lost, 'data'), true);
  assert.deepEqual(found.result.roots, before.result.roots);
});

test('a long file is read again when a node of its list of extents, or a chunk in it, is lost', async () => {
  using scratch = scratchFolder();
  const root = scratch.path;
  const before = await started(root);
  const id = (seed: number): ChunkId => new Uint8Array(32).fill(seed) as ChunkId;
  assert.equal((await next(root, before)).puts, 0);
  for (const lost of ['list', 'chunk', 'nothing'] as const) {
    const chunks = memoryChunks();
    writeFileSync(`${root}/huge`, pseudoRandom(1 << 20)); // more than 32 chunks
    await age();
    const first = await captureHome(root, { chunks });
    const content: Content = first.entries.get('huge')!.content!;
    assert('list' in content);
    if (lost === 'list') chunks.lose(content.list, 'metadata');
    const has: HomeBase['has'] = (chunk, chunkClass) =>
      chunks.has(chunk, chunkClass) && !(lost === 'chunk' && Buffer.compare(chunk, chunkWanted) === 0);
    const chunkWanted = lost === 'chunk' ? await someChunk(first, content) : id(0);
    const found = await next(root, first, { base: { ...first.base, has } });
    assert.deepEqual(found.read, lost === 'nothing' ? [] : ['huge'], lost);
  }
});

async function someChunk({ chunks }: CapturedHome, content: Content): Promise<ChunkId> {
  const { extentsOf } = await import('../../../../store/index.ts');
  let at = 0;
  for await (const extent of extentsOf(chunks, content)) {
    if (extent.kind === 'chunk' && ++at === 20) return extent.id;
  }
  throw new Error('a list of more than 20 chunks is needed');
}

test('a node of the listing that a new snapshot must not depend on is stored again', async () => {
  using scratch = scratchFolder();
  const before = await started(scratch.path);
  const listing = before.result.roots[0]!.listing;
  for (const denied of ['root', 'leaf'] as const) {
    const entry = await findEntry(before.chunks, listing, Buffer.from('/many/05/7'));
    assert(entry);
    const leaf = await leafOf(before, '/many/05/7');
    const wanted = denied === 'root' ? listing.id : leaf;
    let asked = false;
    const base: HomeBase = {
      ...before.base,
      has: (id, chunkClass) => {
        if (Buffer.compare(id, wanted) !== 0) return before.chunks.has(id, chunkClass);
        asked = true;
        return false;
      },
    };
    const put: string[] = [];
    const found = await next(scratch.path, before, {
      base,
      chunks: {
        ...before.chunks,
        put: async (bytes, chunkClass) => {
          const id = await before.chunks.put(bytes, chunkClass);
          put.push(Buffer.from(id).toString('hex'));
          return id;
        },
      },
    });
    assert.deepEqual([asked, found.read], [true, []]);
    assert.equal(put.includes(Buffer.from(wanted).toString('hex')), true);
    assert.ok(put.length <= 3 + 2 * listing.level, 'the others are taken over');
    assert.deepEqual(found.result.roots, before.result.roots);
  }
});

async function leafOf({ chunks, result }: CapturedHome, key: string): Promise<ChunkId> {
  const { readListingNodes } = await import('../../../../store/index.ts');
  for await (const { node, entries } of readListingNodes(chunks, result.roots[0]!.listing)) {
    if (entries?.some(entry => Buffer.from(entry.key).toString() === key)) return node.node;
  }
  throw new Error(`no leaf has ${key}`);
}

test('a base that cannot be read is said and not built upon', async () => {
  using scratch = scratchFolder();
  const before = await started(scratch.path);
  before.chunks.lose(await leafOf(before, '/many/05/7'), 'metadata');
  const found = await next(scratch.path, before);
  assert.equal(found.read.length, before.result.files);
  assert.equal(found.result.notes.length, 1);
  assert.deepEqual(found.result.roots, before.result.roots);
});
