import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { makeTree } from '../../../engine/home/capture/tree.ts';
import { encodeHomeEntry, type HomeEntry } from '../../../engine/home/entries/entry.ts';
import { makePace } from '../../../engine/home/pace.ts';
import type { BytePath } from '../../../engine/home/paths.ts';
import { loadBase } from '../../../engine/home/rows/load-base.ts';
import { origins } from '../../../engine/home/rows/sequence.ts';
import { type ChunkId, ListingBuilder, systemClock } from '../../../store/index.ts';
import { memoryChunks } from '../../helpers/memory-chunks.ts';

const root = '/home' as BytePath;
const [folders, perFolder] = [1_000, 60];

async function heldBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let turn = 0; turn < 3; turn++) {
    collect();
    await setImmediate(); // buffers are freed a little later than the objects that held them
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function entryOf(path: string, kind: HomeEntry['kind']): HomeEntry {
  const id = new Uint8Array(createHash('sha256').update(path).digest()) as ChunkId;
  const ns = 1_700_000_000_123_456_789n;
  const common = { mode: 0o640, uid: 1000, gid: 1000, mtimeNs: ns, ctimeNs: ns, inode: 4711n, fileSystem: 0 };
  return {
    ...common,
    path: path as BytePath,
    kind,
    xattrs: [],
    unsettled: false,
    linked: false,
    ...(kind === 'file'
      ? { content: { length: 700, extents: [{ kind: 'chunk', id, offset: 0, length: 700 }] } }
      : {}),
    ...(path === '' ? { fileSystems: [{ type: 'ext4', id: 'one' }], rules: new Uint8Array(16) } : {}),
  };
}

test('a home that did not change takes less than 170 bytes a file, names of 38 bytes and chunk ids included', async t => {
  const chunks = memoryChunks();
  const builder = new ListingBuilder(chunks, chunks.cuts.nodes);
  await builder.add(encodeHomeEntry(entryOf('', 'folder')));
  for (let folder = 0; folder < folders; folder++) {
    const path = String(folder).padStart(6, '0');
    await builder.add(encodeHomeEntry(entryOf(path, 'folder')));
    for (let i = 0; i < perFolder; i++)
      await builder.add(
        encodeHomeEntry(entryOf(`${path}/${String(i).padStart(2, '0').padEnd(38, 'x')}`, 'file')),
      );
  }
  const listing = await builder.finish();
  const before = await heldBytes();
  const base = await loadBase(
    { source: chunks, roots: [{ path: Buffer.from(root), listing }], timeMs: 0, has: () => true },
    { name: root, isExcluded: () => false },
    {
      clock: systemClock,
      pace: makePace({ clock: systemClock, sliceMs: 10 }),
      onNote: note => assert.fail(note),
    },
  );
  assert(base);
  const tree = makeTree(
    { root, name: root, isExcluded: () => false, rules: new Uint8Array(16) },
    {
      base,
      tools: {
        stat: { path: () => undefined, open: () => assert.fail(), folder: () => assert.fail() },
        libc: undefined,
        clock: systemClock,
        fileSystemSeam: undefined,
        fileSystemName: undefined,
        readsAgain: false,
      },
    },
  );
  // both looks find all of it as it was, a few rows at a time
  for (const order of [tree.scanned, tree.order]) {
    for (let at = 0; at < listing.entries; at += 64)
      order.push(origins.base, at, Math.min(at + 64, listing.entries));
  }
  tree.scanned.endFolders();
  const each = ((await heldBytes()) - before) / listing.entries;
  t.diagnostic(`${each.toFixed(0)} bytes a file`);
  assert.equal(tree.order.count, listing.entries);
  assert.equal(tree.scanned.endOf(1), 1 + 1 + perFolder);
  assert.equal(each < 170, true, `${each} bytes a file`);
});
