import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { HomeOptions, StatSeam } from '../../../engine/home/index.ts';
import { systemClock } from '../../../store/index.ts';
import { captureHome } from '../../helpers/one-home.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

const age = (): Promise<void> => systemClock.sleep(60);

function homeIn(folder: string) {
  const [root, view] = [`${folder}/home`, `${folder}/view`];
  mkdirSync(`${root}/sub`, { recursive: true });
  for (const name of ['a', 'b', 'sub/c']) writeFileSync(`${root}/${name}`, `${name} of the first day`);
  const take = () => {
    rmSync(view, { recursive: true, force: true });
    const takenMs = systemClock.monotonicMs();
    execFileSync('cp', ['-a', root, view]);
    return { path: view, takenMs };
  };
  return { root, view, take };
}

/** As if the copy were a snapshot of the volume: its files are those of the home, with their inodes and times. */
const asInHome =
  ({ root, view }: { root: string; view: string }): StatSeam =>
  (path, stats) => {
    if (!path.toString().startsWith(view)) return stats;
    const live = statSync(path.toString().replace(view, root), { bigint: true, throwIfNoEntry: false });
    return live ? { ...stats, ino: live.ino, mtimeNs: live.mtimeNs, ctimeNs: live.ctimeNs } : stats;
  };

test('a view is listed by the path of the home, and what is excluded there is excluded in it', async () => {
  using scratch = scratchFolder();
  const home = homeIn(scratch.path);
  const view = home.take();
  writeFileSync(`${home.root}/a`, 'changed after the view was taken');
  const captured = await captureHome(home.root, { view, exclude: ['/sub/'] });
  assert.equal(Buffer.from(captured.result.roots[0]!.path).toString(), home.root);
  assert.deepEqual([...captured.entries.keys()], ['', 'a', 'b']);
  assert.equal(await captured.text('a'), 'a of the first day');
});

test('what one view shows unchanged is not read again in the next, and a file is read once', async () => {
  using scratch = scratchFolder();
  const home = homeIn(scratch.path);
  await age();
  const seams = { fileSystem: 'volume', statSeam: asInHome(home) };
  const first = await captureHome(home.root, { ...seams, view: home.take() });
  assert.equal(first.result.changed, 3);
  writeFileSync(`${home.root}/b`, 'b of the second day');
  await age();
  const second = await captureHome(home.root, {
    ...seams,
    view: home.take(),
    base: first.base,
    chunks: first.chunks,
  });
  assert.equal(second.result.changed, 1);
  assert.equal(await second.text('b'), 'b of the second day');
  const live = await captureHome(home.root, {
    fileSystem: 'volume',
    base: second.base,
    chunks: first.chunks,
  });
  assert.equal(live.result.changed, 0, 'nor where the home is read itself');
});

test('a file that changed just before a view was taken is read again from the next, however late the first was read', async () => {
  using scratch = scratchFolder();
  const home = homeIn(scratch.path);
  const seams = { fileSystem: 'volume', statSeam: asInHome(home) };
  await age();
  writeFileSync(`${home.root}/a`, 'before');
  const told = statSync(`${home.root}/a`, { bigint: true });
  const view = home.take();
  await systemClock.sleep(150);
  const first = await captureHome(home.root, { ...seams, view });
  assert.equal(await first.text('a'), 'before');

  // within the same tick of the file system's clock: nothing but the content tells
  writeFileSync(`${home.root}/a`, 'later!');
  const statSeam: StatSeam = (path, stats) => {
    const seen = seams.statSeam(path, stats, 'path');
    return path.toString().endsWith('/a') ? { ...seen, mtimeNs: told.mtimeNs, ctimeNs: told.ctimeNs } : seen;
  };
  await age();
  const second = await captureHome(home.root, {
    ...seams,
    statSeam,
    view: home.take(),
    base: first.base,
    chunks: first.chunks,
  });
  assert.equal(await second.text('a'), 'later!');
});

test('a subvolume that a view on btrfs does not hold is named, every time, unless it is left out', async () => {
  using scratch = scratchFolder();
  const home = homeIn(scratch.path);
  mkdirSync(`${home.root}/sub/volume`);
  await age();
  const inHome = asInHome(home);
  const seams: Partial<HomeOptions> = {
    fileSystem: 'volume',
    fileSystemSeam: (_path, facts) => ({ ...facts, type: 'btrfs' }),
    statSeam: (path, stats, how) => {
      const seen = inHome(path, stats, how);
      return path.toString().endsWith('/volume') ? { ...seen, ino: 2n } : seen;
    },
  };
  const first = await captureHome(home.root, { ...seams, view: home.take() });
  const named = [`${home.root}/sub/volume: is a subvolume of its own, which the view does not hold`];
  assert.deepEqual(first.result.unreadable, named);
  const next = { ...seams, base: first.base, chunks: first.chunks };
  const second = await captureHome(home.root, { ...next, view: home.take() });
  assert.deepEqual(second.result.unreadable, named);
  assert.equal(second.result.changed, 0);
  const third = await captureHome(home.root, { ...next, view: home.take(), exclude: ['/sub/volume/'] });
  assert.deepEqual(third.result.unreadable, []);
});
