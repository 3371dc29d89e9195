import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { openHome, restoreHome } from '../../../../engine/home/index.ts';
import { systemClock } from '../../../../store/index.ts';
import { assertEqualHomes } from '../../../helpers/home-equal.ts';
import { needLibc, pseudoRandom, sparse } from '../../../helpers/home-tree.ts';
import { memoryChunks } from '../../../helpers/memory-chunks.ts';
import { captureHome } from '../../../helpers/one-home.ts';
import { scratchFolder } from '../../../helpers/scratch.ts';

const libc = await needLibc();

/** Waits until what was just written is clearly old. */
const age = (): Promise<void> => systemClock.sleep(60);

test('files that did not change are read once, and only looked at in the window', async () => {
  using scratch = scratchFolder();
  plant(scratch.path);
  await age();
  const opened: string[] = [];
  const { result } = await captureHome(scratch.path, {
    readSeam: (path, moment) => {
      if (moment === 'opened') opened.push(path.toString());
    },
  });
  assert.equal(result.changedInLatch, 0);
  assert.equal(new Set(opened).size, opened.length);
  assert.equal(opened.length, 6);
});

test('what changes between the looks is taken as the window finds it', async () => {
  using scratch = scratchFolder();
  const root = `${scratch.path}/home`;
  plant(root);
  await age();
  const chunks = memoryChunks();
  await using home = await openHome({ root, sink: chunks, cuts: chunks.cuts, clock: systemClock });
  await home.prescan();
  appendFileSync(`${root}/log`, 'more');
  truncateSync(`${root}/b/long`, 10);
  unlinkSync(`${root}/b/c/deep`);
  writeFileSync(`${root}/b/c/new`, 'new');
  chmodSync(`${root}/a`, 0o640);
  mkdirSync(`${root}/fresh/folder`, { recursive: true });
  writeFileSync(`${root}/fresh/folder/file`, pseudoRandom(300_000));
  symlinkSync('log', `${root}/fresh/link`);
  rmSync(`${root}/gone`, { recursive: true });
  unlinkSync(`${root}/turns`);
  mkdirSync(`${root}/turns`);
  writeFileSync(`${root}/turns/into`, 'a folder');
  const captured = await home.capture({ budgetBytes: 1 << 20 });
  assert.equal(captured.changedInLatch, 7);
  const result = await home.finish();
  assert.deepEqual(result.unreadable, []);
  await restoreHome({ source: chunks, root: result.roots[0]!, target: `${scratch.path}/out` });
  await assertEqualHomes(root, `${scratch.path}/out`);
});

test('a change of nothing but attributes shows, and is kept', async () => {
  using scratch = scratchFolder();
  plant(scratch.path);
  await age();
  const { entries } = await captureHome(scratch.path, {
    beforeWindow: () => chmodSync(`${scratch.path}/b/c`, 0o711),
  });
  assert.equal(entries.get('b/c')!.mode, 0o711);
});

test('changed files beyond the budget are stored in the window, the others kept until after it', async () => {
  using scratch = scratchFolder();
  for (const name of ['a', 'b', 'c']) writeFileSync(`${scratch.path}/${name}`, 'old');
  const chunks = memoryChunks();
  await using home = await openHome({
    root: scratch.path,
    sink: chunks,
    cuts: chunks.cuts,
    clock: systemClock,
  });
  await home.prescan();
  for (const [seed, name] of ['a', 'b', 'c'].entries())
    writeFileSync(`${scratch.path}/${name}`, pseudoRandom(1000, 2 * seed + 5));
  const { keptBytes } = await home.capture({ budgetBytes: 1500 });
  assert.equal(keptBytes, 1000);
  assert.equal(chunks.count('data'), 2);
  await home.finish();
  assert.equal(chunks.count('data'), 3);
});

test('small files are kept in their entries and make no chunks', async () => {
  using scratch = scratchFolder();
  for (const bytes of [0, 1, 41, 128]) writeFileSync(`${scratch.path}/${bytes}`, 'r'.repeat(bytes));
  const { chunks, text } = await captureHome(scratch.path, {
    beforeWindow: () => writeFileSync(`${scratch.path}/41`, 's'.repeat(41)),
  });
  assert.equal(chunks.count('data'), 0);
  assert.equal(await text('41'), 's'.repeat(41));
  assert.equal(await text('128'), 'r'.repeat(128));
});

for (const [name, change] of Object.entries({
  appended: (path: string) => appendFileSync(path, 'tail'),
  truncated: (path: string) => truncateSync(path, 1_500_000),
  rewritten: (path: string) => writeFileSync(path, Buffer.alloc(2_500_000, 'z')),
  replaced: (path: string) => {
    writeFileSync(`${path}.new`, Buffer.alloc(1000, 'n'));
    renameSync(`${path}.new`, path);
  },
})) {
  for (const moment of ['opened', 'read', 'read whole'] as const) {
    test(`a file that is ${name} at the moment "${moment}" of its reading is never torn`, async () => {
      using scratch = scratchFolder();
      const path = `${scratch.path}/file`;
      writeFileSync(path, Buffer.alloc(2_500_000, 'a'));
      await age();
      const target = `${scratch.path}/out`;
      let looks = 0;
      const captured = await captureHome(scratch.path, {
        beforeWindow: () => appendFileSync(path, 'b'),
        readSeam: (_path, now, offset) => {
          if (now !== moment || (now === 'read' && offset === 0)) return;
          // once while live, once in the window
          if (++looks === 1 || looks === 5) change(path);
        },
      });
      assert.deepEqual(captured.result.unreadable, []);
      await restoreHome({ source: captured.chunks, root: captured.result.roots[0]!, target });
      assert.equal(readFileSync(`${target}/file`).equals(readFileSync(path)), true);
    });
  }
}

test('a file that changes at every look is kept as it was read, marked, and said', async () => {
  using scratch = scratchFolder();
  const path = `${scratch.path}/log`;
  writeFileSync(path, 'line\n'.repeat(100));
  await age();
  const { entries, result, text } = await captureHome(scratch.path, {
    readSeam: (_path, moment) => {
      if (moment === 'read whole') appendFileSync(path, 'line\n');
    },
  });
  assert.equal(entries.get('log')!.unsettled, true);
  assert.equal(
    result.notes.some(note => note.includes('log')),
    true,
  );
  assert.match(await text('log'), /^(line\n)+$/);
});

test('a file that became a FIFO after it was listed never blocks the reader', async () => {
  using scratch = scratchFolder();
  const path = `${scratch.path}/file`;
  writeFileSync(path, 'content');
  let swapped = false;
  const { result, entries } = await captureHome(scratch.path, {
    statSeam: (seen, stats, how) => {
      if (how === 'path' && seen.toString() === path && !swapped) {
        swapped = true;
        unlinkSync(path);
        libc.makeNodeAt(0, Buffer.from(path), { mode: 0o010600, device: 0n });
      }
      return stats;
    },
  });
  assert.deepEqual(result.unreadable, []);
  assert.equal(entries.get('file')!.kind, 'fifo');
});

test('a file that became a link after it was listed is never followed', async () => {
  using scratch = scratchFolder();
  const path = `${scratch.path}/file`;
  writeFileSync(path, 'content');
  writeFileSync(`${scratch.path}/secret`, 'secret');
  let swaps = 0;
  const { result, entries } = await captureHome(scratch.path, {
    statSeam: (seen, stats, how) => {
      if (how === 'path' && seen.toString() === path && ++swaps <= 2) {
        unlinkSync(path);
        if (swaps === 1) symlinkSync('secret', path);
        else writeFileSync(path, 'content');
      }
      return stats;
    },
  });
  assert.deepEqual(
    [result.unreadable, entries.get('file')?.kind],
    [[`${path}: vanished inside the window`], undefined],
  );
});

test('sockets are skipped and counted', async () => {
  using scratch = scratchFolder();
  const server = createServer();
  await new Promise<void>(resolve => server.listen(`${scratch.path}/socket`, resolve));
  try {
    const { entries, result } = await captureHome(scratch.path);
    assert.equal(result.skipped.sockets, 1);
    assert.deepEqual([...entries.keys()], ['']);
  } finally {
    server.close();
  }
});

test('what vanishes before the window is dropped without a word', async () => {
  using scratch = scratchFolder();
  plant(scratch.path);
  await age();
  const { entries, result } = await captureHome(scratch.path, {
    beforeWindow: () => rmSync(`${scratch.path}/b`, { recursive: true }),
  });
  assert.deepEqual(result.unreadable, []);
  assert.equal(
    [...entries.keys()].some(path => path.startsWith('b')),
    false,
  );
});

test('what vanishes while the application runs is a note, and in the window it is named', async () => {
  using scratch = scratchFolder();
  plant(scratch.path);
  await age();
  let live = true;
  const { result } = await captureHome(scratch.path, {
    beforeWindow: () => {
      live = false;
    },
    statSeam: (path, stats, how) => {
      const name = path.toString().slice(scratch.path.length + 1);
      // the folder has just been listed or looked at; its file goes before its own turn comes
      if (how === 'path' && name === (live ? 'a' : 'gone'))
        rmSync(`${scratch.path}/${live ? 'b/c/deep' : 'gone/file'}`, { force: true });
      return stats;
    },
  });
  assert.deepEqual(result.unreadable, [`${scratch.path}/gone/file: vanished inside the window`]);
});

test('names of one file are stored once and stay one file', async () => {
  using scratch = scratchFolder();
  writeFileSync(`${scratch.path}/one`, pseudoRandom(100_000));
  linkSync(`${scratch.path}/one`, `${scratch.path}/two`);
  const chunks = memoryChunks();
  let puts = 0;
  chunks.onPut = () => puts++;
  const { entries, result } = await captureHome(scratch.path, { chunks });
  assert.equal(result.bytes, 200_000);
  assert.equal(entries.get('one')!.linked && entries.get('two')!.linked, true);
  assert.equal(entries.get('one')!.inode, entries.get('two')!.inode);
  assert.deepEqual(entries.get('one')!.content, entries.get('two')!.content);
  // read live and again in the window, as it is new; each time once
  assert.equal(puts, 3, 'two contents and one node');
});

test('names that do not agree in their state are not joined', async () => {
  using scratch = scratchFolder();
  writeFileSync(`${scratch.path}/one`, 'one');
  linkSync(`${scratch.path}/one`, `${scratch.path}/two`);
  const { entries } = await captureHome(scratch.path, {
    statSeam: (path, stats) => (path.toString().endsWith('/two') ? { ...stats, mtimeNs: 5n } : stats),
  });
  assert.deepEqual([entries.get('one')!.linked, entries.get('two')!.linked], [true, false]);
});

test('a sparse file of a tebibyte is read and restored by its data alone', async () => {
  using scratch = scratchFolder();
  const size = 2 ** 40;
  mkdirSync(`${scratch.path}/home`);
  sparse(`${scratch.path}/home/disk`, { size, data: [0, 2 ** 39, size - 4096] });
  const { chunks, result } = await captureHome(`${scratch.path}/home`);
  assert.equal(result.bytes, size);
  assert.equal(chunks.bytes('data') <= 3 * 4096, true);
  await restoreHome({ source: chunks, root: result.roots[0]!, target: `${scratch.path}/out` });
  await assertEqualHomes(`${scratch.path}/home`, `${scratch.path}/out`);
});

test('a home that is a link is read where the link leads', async () => {
  using scratch = scratchFolder();
  plant(`${scratch.path}/real`);
  symlinkSync('real', `${scratch.path}/link`);
  const { entries, result } = await captureHome(`${scratch.path}/link`);
  assert.equal(entries.get('')!.kind, 'folder');
  assert.equal(Buffer.from(result.roots[0]!.path).toString(), `${scratch.path}/real`);
});

test('a home that is missing, a file, or gone in the window is refused', async () => {
  using scratch = scratchFolder();
  writeFileSync(`${scratch.path}/file`, '');
  for (const root of [`${scratch.path}/nowhere`, `${scratch.path}/file`]) {
    await assert.rejects(captureHome(root), { code: 'HOME_UNREADABLE' });
  }
  plant(`${scratch.path}/home`);
  const gone = captureHome(`${scratch.path}/home`, {
    beforeWindow: () => rmSync(`${scratch.path}/home`, { recursive: true }),
  });
  await assert.rejects(gone, { code: 'HOME_UNREADABLE' });
});

test('a home that is another folder in the window, as after an unmount, is refused rather than taken for empty', async () => {
  using scratch = scratchFolder();
  const root = `${scratch.path}/home`;
  plant(root);
  const swapped = captureHome(root, {
    beforeWindow: () => {
      renameSync(root, `${root}-2`);
      mkdirSync(root);
    },
  });
  await assert.rejects(swapped, { code: 'HOME_UNREADABLE' });
  plant(`${scratch.path}/other`);
  let unmounted = false;
  const unmount = captureHome(`${scratch.path}/other`, {
    statSeam: (path, stats) =>
      unmounted && path.toString().includes('/b') ? { ...stats, dev: stats.dev + 1 } : stats,
    beforeWindow: () => {
      unmounted = true;
      writeFileSync(`${scratch.path}/other/b/new`, '');
    },
  });
  await assert.rejects(unmount, { code: 'HOME_UNREADABLE' });
});

test('a capture without a pre-scan takes everything', async () => {
  using scratch = scratchFolder();
  plant(`${scratch.path}/home`);
  const chunks = memoryChunks();
  const open = { root: `${scratch.path}/home`, sink: chunks, cuts: chunks.cuts, clock: systemClock };
  await using home = await openHome(open);
  assert.equal((await home.capture({ budgetBytes: 1 << 20 })).changedInLatch, 6);
  const result = await home.finish();
  await restoreHome({ source: chunks, root: result.roots[0]!, target: `${scratch.path}/out` });
  await assertEqualHomes(`${scratch.path}/home`, `${scratch.path}/out`);
});

test('data stores are roots of their own, named or by pattern; a pattern without a match is refused', async () => {
  using scratch = scratchFolder();
  for (const name of ['home', 'store-1', 'store-2', 'other']) plant(`${scratch.path}/${name}`);
  const { result } = await captureHome(`${scratch.path}/home`, {
    dataStores: [`${scratch.path}/store-*`, `${scratch.path}/other`, `${scratch.path}/store-1`],
  });
  assert.deepEqual(
    result.roots.map(root =>
      Buffer.from(root.path)
        .toString()
        .slice(scratch.path.length + 1),
    ),
    ['home', 'store-1', 'store-2', 'other'],
  );
  await assert.rejects(captureHome(`${scratch.path}/home`, { dataStores: [`${scratch.path}/none-*`] }), {
    code: 'HOME_UNREADABLE',
  });
});

test('an error of the store ends the run whatever its code is; it is never taken for an unreadable file', async () => {
  using scratch = scratchFolder();
  writeFileSync(`${scratch.path}/file`, pseudoRandom(1000));
  const failed = Object.assign(new Error('ENOSPC: no space left on device, write'), {
    code: 'ENOSPC',
    syscall: 'write',
  });
  const chunks = memoryChunks();
  chunks.onPut = () => {
    throw failed;
  };
  await assert.rejects(captureHome(scratch.path, { chunks }), failed);
});

test('an aborted signal ends each step soon', async () => {
  using scratch = scratchFolder();
  for (let i = 0; i < 200; i++) writeFileSync(`${scratch.path}/${i}`, 'x');
  const chunks = memoryChunks();
  const reason = new Error('enough');
  let now = 0;
  const clock = { ...systemClock, monotonicMs: () => (now += 100) }; // every question of the pace rests
  const open = () => openHome({ root: scratch.path, sink: chunks, cuts: chunks.cuts, clock });
  await using first = await open();
  await assert.rejects(first.prescan({ signal: AbortSignal.abort(reason) }), reason);
  await using second = await open();
  await second.prescan();
  await assert.rejects(second.capture({ signal: AbortSignal.abort(reason), budgetBytes: 0 }), reason);
});

function plant(root: string): void {
  mkdirSync(`${root}/b/c`, { recursive: true });
  mkdirSync(`${root}/gone`);
  writeFileSync(`${root}/a`, 'a');
  writeFileSync(`${root}/b/c/deep`, 'deep');
  writeFileSync(`${root}/b/long`, 'long '.repeat(1000));
  writeFileSync(`${root}/gone/file`, 'gone');
  writeFileSync(`${root}/log`, 'log');
  writeFileSync(`${root}/turns`, 'a file');
  utimesSync(`${root}/a`, 1_000, 1_000);
  if (root.endsWith('-1')) return;
  unlinkSync(`${root}/turns`);
  writeFileSync(`${root}/turns`, 'a file');
}
