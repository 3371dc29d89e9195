import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { git } from '../../bench/instance/git.ts';
import { countFiles } from '../../bench/instance/home.ts';
import { checkPair, createInstance, repositoryPath } from '../../bench/instance/index.ts';
import { withInstance } from './with-instance.ts';

const home = mkdtempSync(join(tmpdir(), 'stillpoint-test-'));
after(() => rmSync(home, { recursive: true }));
const { instance: it, server } = withInstance({
  home,
  repositories: 4,
  commitsPerRepository: 7,
  files: 900,
  rows: 2_000,
});

test('a new instance has the files, rows, repositories and history that it was asked for', async () => {
  const instance = it();
  assert.deepEqual(instance.repositoryIds, [1, 2, 3, 4]);
  const files = await countFiles(home);
  assert.ok(Math.abs(files - 900) < 30, `${files} files`);
  for (const id of instance.repositoryIds) {
    const commits = await git(['rev-list', '--count', 'main'], { cwd: repositoryPath(home, id) });
    assert.equal(commits.trim(), '8');
  }
  const report = await checkPair({ home, databaseUrl: instance.databaseUrl, fsck: 'full' });
  assert.deepEqual([report.disagreements, report.repositories, report.refs], [[], 4, 12]);
});

test('writes whose row fails move their refs back, and the pair agrees after a crash of the server', async () => {
  const instance = it();
  instance.startWriter({ perSecond: 80, pushesPerSecond: 1, repackEveryMs: 300 });
  while (instance.acknowledged.length < 30) await sleep(10);
  await server().crash();
  // Fails, or waits for its turn until the server is back: what counts is that the pair agrees either way.
  const held = Promise.allSettled([instance.push({ repositoryId: 1, ref: 'refs/heads/held' })]);
  await sleep(300);
  await server().restart();
  await held;
  const before = instance.acknowledged.length;
  while (instance.acknowledged.length < before + 20) await sleep(10);
  const counts = await instance.stopWriter();
  assert.ok(counts!.failed > 0);
  const report = await checkPair({ home, databaseUrl: instance.databaseUrl, fsck: 'connectivity' });
  assert.deepEqual(report.disagreements, []);
});

test('an instance starts again on its own home and database, and its writer goes on', async () => {
  const { databaseUrl } = it();
  await it().stop();
  const again = await createInstance({ databaseUrl, home, writer: { perSecond: 60, pushesPerSecond: 0 } });
  try {
    while (again.acknowledged.length < 15) await sleep(10);
    assert.deepEqual([(await again.stopWriter())?.failed, again.repositoryIds.length], [0, 4]);
  } finally {
    await again.stop();
  }
  const report = await checkPair({ home, databaseUrl, fsck: 'connectivity' });
  assert.deepEqual(report.disagreements, []);
});
