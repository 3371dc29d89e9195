import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkExcluded } from '../../../engine/doctor/excluded.ts';
import { checkHome } from '../../../engine/doctor/home.ts';
import { sampleTree } from '../../../engine/doctor/sample.ts';
import type { FileSystemProbe, HomeSettings } from '../../../engine/home/index.ts';
import { findingsOf, statesOf } from '../../helpers/findings.ts';
import { isRoot } from '../../helpers/home-tree.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

const plain: FileSystemProbe = (_path, facts) => ({ ...facts, cached: false, id: 'one' });
const states = (home: HomeSettings, fileSystemSeam = plain) => statesOf(checkHome({ home, fileSystemSeam }));

function plant(root: string): void {
  for (const folder of ['shared/data/repositories/7/refs/heads', 'log']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  writeFileSync(join(root, 'shared/data/repositories/7/refs/heads/main'), 'a ref');
  for (let i = 0; i < 200; i++) writeFileSync(join(root, `log/${i}`), '');
}

test('a home that is not there, is a file, or whose data stores are not there fails', async () => {
  using scratch = scratchFolder();
  writeFileSync(join(scratch.path, 'file'), '');
  assert.deepEqual(await states({ root: join(scratch.path, 'absent') }), ['failed']);
  assert.deepEqual(await states({ root: join(scratch.path, 'file') }), ['failed']);
  assert.deepEqual(await states({ root: scratch.path }), ['ok']);
  const dataStores = [join(scratch.path, 'absent*')];
  assert.deepEqual(await states({ root: scratch.path, dataStores }), ['failed', 'ok']);
  assert.deepEqual(await states({ root: scratch.path, dataStores: [join(scratch.path, 'x')] }), [
    'ok',
    'failed',
  ]);
});

test('the sample meets refs and what is shared, however full other folders are', async () => {
  using scratch = scratchFolder();
  plant(scratch.path);
  const signal = new AbortController().signal;
  const sample = await sampleTree(scratch.path, { home: { root: scratch.path }, isHome: true, signal });
  assert.equal(sample.isWhole, false);
  // a repository with many other names
  const full = join(scratch.path, 'log');
  mkdirSync(join(full, 'refs/heads'), { recursive: true });
  const { looked } = await sampleTree(full, { home: { root: full }, isHome: true, signal });
  assert.equal(looked, 60 + 'refs heads'.split(' ').length);
  rmSync(join(full, 'refs'), { recursive: true });
  assert.deepEqual(sample.unreadable, []);
  const whole = { root: scratch.path, exclude: ['/log/'] };
  assert.deepEqual(await sampleTree(scratch.path, { home: whole, isHome: true, signal }), {
    ...{ looked: 7, isWhole: true, unreadable: [] },
  });
});

const skip = isRoot ? 'root may read everything' : false;
test('a ref that this user may not read fails, one that is left out does not', { skip }, async () => {
  using scratch = scratchFolder();
  plant(scratch.path);
  chmodSync(join(scratch.path, 'shared/data/repositories/7/refs/heads/main'), 0o000);
  assert.deepEqual(await states({ root: scratch.path }), ['failed']);
  assert.deepEqual(await states({ root: scratch.path, excludeRepositories: ['7'] }), ['ok']);
});

test('a home behind a link is looked at, and a link that leads nowhere in it is fine', async () => {
  using scratch = scratchFolder();
  mkdirSync(join(scratch.path, 'real'));
  symlinkSync('nowhere', join(scratch.path, 'real/dangling'));
  symlinkSync('real', join(scratch.path, 'home'));
  assert.deepEqual(await states({ root: join(scratch.path, 'home') }), ['ok']);
});

test('a network file system fails unless its answers can be trusted or are asked again', async () => {
  using scratch = scratchFolder();
  const nfs: FileSystemProbe = (_path, facts) => ({ ...facts, type: 'nfs', cached: true, id: 'one' });
  const root = scratch.path;
  assert.deepEqual(await states({ root }, nfs), ['ok', 'failed']);
  assert.deepEqual(await states({ root, networkHome: 'reread' }, nfs), ['ok', 'ok']);
  assert.deepEqual(await states({ root }, (path, facts) => ({ ...nfs(path, facts), cached: false })), ['ok']);
});

test('a file system without an identity is warned of', async () => {
  using scratch = scratchFolder();
  const nameless: FileSystemProbe = (_path, facts) => ({ ...facts, cached: false, id: null });
  assert.deepEqual(await states({ root: scratch.path }, nameless), ['ok', 'warning']);
});

test('what is left out is said, and warned of where a restore would miss it', async () => {
  using scratch = scratchFolder();
  plant(scratch.path);
  const root = scratch.path;
  const excluded = async (home: Partial<HomeSettings>) => statesOf(checkExcluded({ root, ...home }));
  assert.deepEqual(await excluded({}), []);
  assert.deepEqual(await excluded({ exclude: ['/log/'], excludeRepositories: ['7'] }), ['ok']);
  assert.deepEqual(await excluded({ exclude: ['data/'] }), ['ok', 'warning']);
  const [, missing] = await findingsOf(checkExcluded({ root, excludeRepositories: ['8'] }));
  assert.equal(missing?.state, 'warning');
});
