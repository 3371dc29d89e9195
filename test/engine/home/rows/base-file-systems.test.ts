import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, renameSync, rmSync, utimesSync } from 'node:fs';
import { test } from 'node:test';
import type { FileSystemProbe, HomeOptions, Stats } from '../../../../engine/home/index.ts';
import { bytePathOfText } from '../../../../engine/home/paths.ts';
import { fileSystemOf } from '../../../../engine/home/system/filesystem.ts';
import type { Libc } from '../../../../engine/home/system/libc.ts';
import { statCalls } from '../../../../engine/home/system/stat.ts';
import { systemClock } from '../../../../store/index.ts';
import {
  assertAsIfWhole,
  captureHome,
  next,
  perFolder,
  plant,
  started,
} from '../../../helpers/home-on-base.ts';
import { needLibc } from '../../../helpers/home-tree.ts';
import { scratchFolder } from '../../../helpers/scratch.ts';

const libc = await needLibc();
const ms = 1_000_000n;
/** As in a container, where the kernel gives none. */
const withoutUuid: Libc = { ...libc, uuid: () => undefined };

test('what is on another file system than the base’s, or on one without an identity, is read again', async () => {
  const identity =
    (id: string | null): FileSystemProbe =>
    (_path, facts) => ({ ...facts, id });
  using scratch = scratchFolder();
  const before = await started(scratch.path, { fileSystemSeam: identity('one') });
  const same = await next(scratch.path, before, { fileSystemSeam: identity('one') });
  assert.deepEqual([same.read, same.result.notes], [[], []]);
  const other = await next(scratch.path, before, { fileSystemSeam: identity('other') });
  assert.equal(other.read.length, before.result.files);
  assert.equal(other.result.notes.length, 1);
  assert.deepEqual(
    other.entries.get('')!.fileSystems?.map(({ id }) => id),
    ['other'],
  );
  assert.equal(other.entries.get('log')!.fileSystem, 0);
  const none = await next(scratch.path, before, { fileSystemSeam: identity(null) });
  assert.equal(none.read.length, before.result.files);
  const still = await next(scratch.path, none, { fileSystemSeam: identity(null) });
  assert.equal(still.read.length, before.result.files);
  assert.deepEqual(
    still.entries.get('')!.fileSystems?.map(({ id }) => id),
    [null],
  );
});

test('a volume below the home that was replaced is read again; what is beside it is not', async () => {
  using scratch = scratchFolder();
  const root = scratch.path;
  const mounted = (id: string | null): Pick<HomeOptions, 'statSeam' | 'fileSystemSeam'> => ({
    statSeam: (path, stats) =>
      path.toString().includes('/many/05') ? { ...stats, dev: stats.dev + 1 } : stats,
    fileSystemSeam: (path, facts) => ({ ...facts, id: path.toString().includes('/many/05') ? id : 'home' }),
  });
  const before = await started(root, mounted('volume'));
  assert.deepEqual((await next(root, before, mounted('volume'))).read, []);
  for (const id of ['replaced', null]) {
    const found = await next(root, before, mounted(id));
    assert.equal(found.read.length, perFolder);
    assert.equal(
      found.read.every(path => path.startsWith('many/05/')),
      true,
    );
    assert.deepEqual(
      found.entries.get('')!.fileSystems?.map(one => one.id),
      ['home', id],
    );
    assert.equal(found.entries.get('many/05/3')!.fileSystem, 1);
    await assertAsIfWhole(root, found, mounted(id));
  }
});

test('after a clock that went back since the base everything is read again, and it is said', async () => {
  using scratch = scratchFolder();
  const before = await started(scratch.path);
  const early = await next(scratch.path, before, {
    base: { ...before.base, timeMs: systemClock.nowMs() + 60_000 },
  });
  assert.equal(early.read.length, before.result.files);
  assert.equal(early.result.notes.length, 1);
  // the file system's own clock, which may be a server's
  const behind = (_path: Buffer, stats: Stats): Stats => ({
    ...stats,
    ctimeNs: stats.ctimeNs + 3_600_000n * ms,
  });
  const ahead = await captureHome(scratch.path, {
    statSeam: (path, stats) => {
      const later = behind(path, stats);
      return path.toString().endsWith('#probe')
        ? { ...later, mtimeNs: stats.mtimeNs + 3_600_000n * ms }
        : later;
    },
  });
  assert.equal(ahead.entries.get('log')!.unsettled, false);
  const back = await next(scratch.path, ahead, { statSeam: behind });
  assert.equal(back.read.length >= before.result.files, true);
  assert.equal(
    back.result.notes.some(note => note.includes('clock')),
    true,
  );
});

test('a file system without a UUID is known by the birth of the folder where it is met, which no call can set', async () => {
  using scratch = scratchFolder();
  const root = `${scratch.path}/above/home`;
  plant(root);
  const idOf = (folder: string): string | null => {
    const path = bytePathOfText(folder);
    const { dev } = statCalls({ libc }).path(path)!;
    return fileSystemOf(path, { dev, libc: withoutUuid }).id;
  };
  const id = idOf(root);
  assert.match(id ?? '', /^birth:\d+:\d+$/);
  assert.equal(idOf(root), id);
  renameSync(`${scratch.path}/above`, `${scratch.path}/renamed`);
  assert.equal(idOf(`${scratch.path}/renamed/home`), id, 'a rename above it changes nothing');
  utimesSync(`${scratch.path}/renamed/home`, 1, 1);
  chmodSync(`${scratch.path}/renamed/home`, 0o700);
  assert.equal(idOf(`${scratch.path}/renamed/home`), id);
  // made again in its place, as another volume would be
  renameSync(`${scratch.path}/renamed`, `${scratch.path}/above`);
  renameSync(root, `${scratch.path}/old`);
  mkdirSync(root);
  assert.notEqual(idOf(root), id);
  rmSync(root, { recursive: true });
  mkdirSync(root);
  assert.notEqual(idOf(root), id, 'whether or not the inode is used again');
  assert.notEqual(idOf('/dev/shm'), id);
  assert.equal(idOf('/proc'), null, 'where births are not recorded there is no identity');
});

test('a configured identity stands for the root, and for what is mounted below with its place', async () => {
  using scratch = scratchFolder();
  const root = scratch.path;
  const options: Partial<HomeOptions> = {
    fileSystem: 'array-7',
    statSeam: (path, stats) =>
      path.toString().includes('/many/05') ? { ...stats, dev: stats.dev + 1 } : stats,
  };
  const before = await started(root, options);
  assert.deepEqual(
    before.entries.get('')!.fileSystems?.map(({ id }) => id),
    ['name:array-7', 'name:array-7/many/05'],
  );
  assert.deepEqual((await next(root, before, options)).read, []);
  const renamed = await next(root, before, { ...options, fileSystem: 'array-8' });
  assert.equal(renamed.read.length, before.result.files);
});
