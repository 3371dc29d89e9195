import assert from 'node:assert/strict';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { openHome, restoreHome } from '../../../../engine/home/index.ts';
import type { BytePath } from '../../../../engine/home/paths.ts';
import { JobWriter, runWriteJob } from '../../../../engine/home/restore/write-job.ts';
import {
  type Backend,
  memoryBackend,
  StillpointError,
  type Store,
  systemClock,
} from '../../../../store/index.ts';
import { assertEqualHomes } from '../../../helpers/home-equal.ts';
import { everyKind, pseudoRandom, sparse } from '../../../helpers/home-tree.ts';
import { scratchFolder } from '../../../helpers/scratch.ts';
import { makeStore, reopenStore } from '../../../helpers/stores.ts';

/** Many small files in many folders with some that are the same, a large one, and one with holes. */
function manyFiles(root: string): void {
  for (let i = 0; i < 60; i++) {
    mkdirSync(`${root}/many/${i}/below`, { recursive: true });
    for (let j = 0; j < 8; j++)
      writeFileSync(
        `${root}/many/${i}/${j % 2 ? 'below/' : ''}${j}`,
        pseudoRandom(500 + 37 * j, 8 * (i % 50) + j + 1),
      );
  }
  writeFileSync(`${root}/large`, pseudoRandom(2_500_000));
  sparse(`${root}/sparse`, { size: 5_000_000, data: [0, 2_000_000] });
}

async function backUp(root: string, store: Store) {
  await using session = await store.beginBackup({ host: 'alpha' });
  await using home = await openHome({ root, sink: session, cuts: store.cuts, clock: systemClock });
  await home.prescan();
  await home.capture({ budgetBytes: 1 << 30 });
  const { roots } = await home.finish();
  const root0 = roots[0]!;
  await session.commit({ roots: [{ id: root0.listing.id, kind: 'node' }], body: new Map() });
  return root0;
}

async function storedHome(path: string, kinds: 'files' | 'every') {
  if (kinds === 'every') await everyKind(path);
  manyFiles(path);
  const backend = memoryBackend();
  const root = await backUp(path, await makeStore({ backend }));
  return { backend, root };
}

/** Every range of a data pack comes with a wrong bit the first so many times. */
function erring(backend: Backend, times: number): Backend {
  const asked = new Map<string, number>();
  return {
    ...backend,
    async get(name, options = {}) {
      const bytes = await backend.get(name, options);
      const key = `${name} ${options.offset}`;
      const before = asked.get(key) ?? 0;
      asked.set(key, before + 1);
      const isFrame = name.startsWith('packs/') && (options.offset ?? 0) >= 96;
      if (!isFrame || before >= times || (await backend.get(name, { offset: 5, length: 1 }))[0] !== 2)
        return bytes;
      const wrong = bytes.slice();
      wrong[20]! ^= 1;
      return wrong;
    },
  };
}

test('threads restore what one thread restores: the same files, links, holes, owners and times', async () => {
  await using scratch = await scratchFolder();
  const { backend, root } = await storedHome(`${scratch.path}/home`, 'every');
  for (const threads of [0, 3]) {
    const target = `${scratch.path}/${threads}`;
    const store = await reopenStore(backend);
    const { files, bytes } = await restoreHome({ source: store, root, target, threads });
    assert.ok(files > 480 && bytes > 0);
    await assertEqualHomes(`${scratch.path}/home`, target);
  }
});

test('what comes wrong from the medium once is read again, whoever noticed it', async () => {
  await using scratch = await scratchFolder();
  const { backend, root } = await storedHome(`${scratch.path}/home`, 'files');
  for (const threads of [0, 1]) {
    const target = `${scratch.path}/${threads}`;
    await restoreHome({ source: await reopenStore(erring(backend, 1)), root, target, threads });
    await assertEqualHomes(`${scratch.path}/home`, target);
  }
});

test('what is wrong each time ends the restore, and no wrong byte is written', async () => {
  await using scratch = await scratchFolder();
  const { backend, root } = await storedHome(`${scratch.path}/home`, 'files');
  for (const threads of [0, 1]) {
    const source = await reopenStore(erring(backend, 99));
    await assert.rejects(
      restoreHome({ source, root, target: `${scratch.path}/${threads}`, threads }),
      error => error instanceof StillpointError && error.code === 'STORE_DAMAGED',
    );
  }
});

test('a name that is taken is refused, and what is there stays', async () => {
  await using scratch = await scratchFolder();
  const store = await makeStore();
  await using session = await store.beginBackup({ host: 'alpha' });
  const id = await session.put(Buffer.from('restored'), 'data');
  await session.commit({ roots: [{ id, kind: 'data' }], body: new Map() });
  const runs = await store.readRuns();
  const place = runs.placeOf(id)!;
  const run = await runs.read([place], {});
  writeFileSync(`${scratch.path}/taken`, 'mine');
  const folder = openSync(scratch.path, 'r');
  const metadata = { mode: 0o644, mtimeNs: 0n, xattrs: [] };
  const owner = { uid: process.geteuid!(), gid: process.getegid!() };
  const piece = (name: string) => ({
    id,
    chunkAt: place.offset,
    chunkBytes: place.length,
    from: 0,
    length: place.length,
    to: { folder, name: name as BytePath, metadata, owner },
  });
  const job = new JobWriter(3);
  for (const name of ['free', 'taken', 'after']) job.add(0, piece(name));
  const { refusal, unread } = runWriteJob(job.finish(run), { opener: runs.opener, libc: undefined });
  closeSync(folder);
  assert.equal(refusal?.piece, 1);
  assert.equal(refusal?.code, 'EEXIST');
  assert.deepEqual(unread, []);
  assert.equal(readFileSync(`${scratch.path}/free`, 'utf8'), 'restored');
  assert.equal(readFileSync(`${scratch.path}/taken`, 'utf8'), 'mine');
});
