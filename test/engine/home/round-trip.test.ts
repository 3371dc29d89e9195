import assert from 'node:assert/strict';
import { mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { openHome, restoreHome } from '../../../engine/home/index.ts';
import { type Manifest, memoryBackend, systemClock } from '../../../store/index.ts';
import { assertEqualHomes } from '../../helpers/home-equal.ts';
import { everyKind, isRoot, takesXattrs } from '../../helpers/home-tree.ts';
import { memoryChunks } from '../../helpers/memory-chunks.ts';
import { captureHome } from '../../helpers/one-home.ts';
import { scratchFolder } from '../../helpers/scratch.ts';
import { makeStore, reopenStore } from '../../helpers/stores.ts';

test('a home of every kind of file comes back equal', async t => {
  using scratch = scratchFolder();
  const source = `${scratch.path}/source`;
  await everyKind(source);
  if (!(await takesXattrs(scratch.path))) t.diagnostic('no extended attributes on this file system');
  const chunks = memoryChunks();
  await using home = await openHome({ root: source, sink: chunks, cuts: chunks.cuts, clock: systemClock });
  await home.prescan();
  await home.capture({ budgetBytes: 1 << 20 });
  const result = await home.finish();
  assert.deepEqual(result.unreadable, []);
  const restored = await restoreHome({
    source: chunks,
    root: result.roots[0]!,
    target: `${scratch.path}/target`,
  });
  // What gives rights is told, since a store may be somebody else's.
  const others = restored.warnings.filter(text => !/set-id bits/.test(text));
  assert.deepEqual(others, []);
  assert.equal(restored.files, result.files);
  assert.equal(restored.folders, result.folders);
  await assertEqualHomes(source, `${scratch.path}/target`);
  if (!isRoot) t.diagnostic('owners and devices are tried as root only');
});

test('a home that went through a store comes back equal from its manifest alone', async () => {
  using scratch = scratchFolder();
  await everyKind(`${scratch.path}/home`);
  const backend = memoryBackend();
  {
    await using store = await makeStore({ backend });
    await using session = await store.beginBackup({ host: 'here' });
    const options = { root: `${scratch.path}/home`, sink: session, cuts: store.cuts, clock: systemClock };
    await using home = await openHome(options);
    await home.prescan();
    await home.capture({ budgetBytes: 1 << 20 });
    const { listing } = (await home.finish()).roots[0]!;
    await session.commit({
      roots: [{ id: listing.id, kind: 'node' }],
      body: [listing.level, listing.entries],
    });
  }
  await using store = await reopenStore(backend);
  const snapshots: Manifest[] = [];
  for await (const one of store.snapshots()) snapshots.push(one);
  const [manifest] = snapshots;
  const [level, entries] = manifest!.body as [number, number];
  const root = { listing: { id: manifest!.roots[0]!.id, level, entries } };
  await restoreHome({ source: store, root, target: `${scratch.path}/out` });
  await assertEqualHomes(`${scratch.path}/home`, `${scratch.path}/out`);
});

test('a time past 2262 is kept as the newest that there is, and said', async t => {
  using scratch = scratchFolder();
  const source = `${scratch.path}/source`;
  mkdirSync(source);
  writeFileSync(`${source}/late`, 'late');
  utimesSync(`${source}/late`, new Date(), new Date('2400-01-01T00:00:00Z'));
  if (statSync(`${source}/late`).mtime.getUTCFullYear() !== 2400)
    return t.skip('the file system holds no such time');
  const { entries, result } = await captureHome(source);
  assert.equal(entries.get('late')?.mtimeNs, 2n ** 63n - 1n);
  assert.equal(result.notes.length, 1);
});
