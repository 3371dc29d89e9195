import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkCacheFolder, checkStateFolder, isInside } from '../../../engine/doctor/folders.ts';
import { checkSecrets } from '../../../engine/doctor/secrets.ts';
import type { FileSystemProbe } from '../../../engine/home/index.ts';
import { findingsOf, statesOf } from '../../helpers/findings.ts';
import { isRoot } from '../../helpers/home-tree.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

const on =
  (type: string): FileSystemProbe =>
  (_path, facts) => ({ ...facts, type });
const disk = on('ext4');
const options = { isMending: false, home: null, fileSystemSeam: disk };

test('a secret that others may read is warned of, and mended when that is asked for', async () => {
  using scratch = scratchFolder();
  const path = join(scratch.path, 'secret');
  writeFileSync(path, 'x\n');
  chmodSync(path, 0o640);
  const files = [{ what: 'the secret', path }];
  assert.deepEqual(await statesOf(checkSecrets(files, { isMending: false })), ['warning']);
  assert.equal(statSync(path).mode & 0o777, 0o640);
  const [mended] = await findingsOf(checkSecrets(files, { isMending: true }));
  assert.deepEqual([mended?.state, mended?.mended], ['ok', true]);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(await statesOf(checkSecrets(files, { isMending: false })), ['ok']);
});

test('a secret that is not there, cannot be read or is empty fails', async () => {
  using scratch = scratchFolder();
  const path = (name: string) => join(scratch.path, name);
  writeFileSync(path('empty'), '\nlater\n', { mode: 0o600 });
  mkdirSync(path('folder'));
  writeFileSync(path('closed'), 'x', { mode: 0o000 });
  for (const name of ['absent', 'empty', 'folder', ...(isRoot ? [] : ['closed'])]) {
    const files = [{ what: 'the secret', path: path(name) }];
    assert.deepEqual(await statesOf(checkSecrets(files, { isMending: true })), ['failed'], name);
  }
});

test('a state folder that is not there is made by the first run, or by mending, for this user alone', async () => {
  using scratch = scratchFolder();
  const folder = join(scratch.path, 'a/b');
  assert.deepEqual(await statesOf(checkStateFolder({ ...options, folder })), ['ok']);
  assert.equal(existsSync(folder), false);
  const [made] = await findingsOf(checkStateFolder({ ...options, folder, isMending: true }));
  assert.deepEqual([made?.state, made?.mended, statSync(folder).mode & 0o777], ['ok', true, 0o700]);
});

test('a state folder that is a file, or that others may write in, is no place for tokens', async () => {
  using scratch = scratchFolder();
  const file = join(scratch.path, 'file');
  writeFileSync(file, '');
  assert.deepEqual(await statesOf(checkStateFolder({ ...options, folder: join(file, 'state') })), ['failed']);
  const open = join(scratch.path, 'open');
  mkdirSync(open);
  chmodSync(open, 0o777);
  assert.deepEqual(await statesOf(checkStateFolder({ ...options, folder: open })), ['warning']);
  const [closed] = await findingsOf(checkStateFolder({ ...options, folder: open, isMending: true }));
  assert.deepEqual([closed?.mended, statSync(open).mode & 0o777], [true, 0o755]);
});

const skip = isRoot ? 'root may write everywhere' : false;
test('a state folder that this user may not write in fails, a cache is only warned of', {
  skip,
}, async () => {
  using scratch = scratchFolder();
  chmodSync(scratch.path, 0o555);
  assert.deepEqual(await statesOf(checkStateFolder({ ...options, folder: scratch.path })), ['failed']);
  assert.deepEqual(await statesOf(checkCacheFolder({ ...options, folder: scratch.path })), ['warning']);
  chmodSync(scratch.path, 0o755);
});

test('a token must outlive a reboot, and the loss of a network: a cache need not', async () => {
  using scratch = scratchFolder();
  const folder = scratch.path;
  for (const type of ['tmpfs', 'nfs', 'cifs', 'fuse']) {
    const there = { ...options, folder, fileSystemSeam: on(type) };
    assert.deepEqual(await statesOf(checkStateFolder(there)), ['ok', 'warning'], type);
    assert.deepEqual(await statesOf(checkCacheFolder(there)), ['ok'], type);
  }
});

test('neither folder should lie in what is backed up', async () => {
  using scratch = scratchFolder();
  const folder = join(scratch.path, 'home/state');
  const home = join(scratch.path, 'home');
  for (const check of [checkStateFolder, checkCacheFolder])
    assert.deepEqual(await statesOf(check({ ...options, folder, home })), ['ok', 'warning']);
  assert.equal(isInside('/a/b', '/a/b/..c'), false);
  assert.equal(isInside('/a/..b', '/a'), true);
  assert.equal(isInside('/ab', '/a'), false);
});
