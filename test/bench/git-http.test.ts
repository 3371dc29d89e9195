import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { git, runGit } from '../../bench/instance/git.ts';
import { checkPair } from '../../bench/instance/index.ts';
import { latch, unlock, withInstance } from './with-instance.ts';

const { instance: it } = withInstance();
const scratch = mkdtempSync(join(tmpdir(), 'stillpoint-test-'));
after(() => rmSync(scratch, { recursive: true }));

const who = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.invalid'];

test('git clone and git push work, and each moved ref is recorded', async () => {
  const instance = it();
  const clone = join(scratch, 'clone');
  await git(['clone', '--quiet', instance.cloneUrl(2), clone], { cwd: scratch });
  writeFileSync(join(clone, 'new.txt'), 'pushed\n');
  await git(['add', '.'], { cwd: clone });
  await git([...who, 'commit', '--quiet', '-m', 'By hand'], { cwd: clone });
  const head = (await git(['rev-parse', 'HEAD'], { cwd: clone })).trim();
  await git(['push', '--quiet', 'origin', 'HEAD:main', 'HEAD:refs/heads/topic', 'HEAD:refs/tags/v1'], {
    cwd: clone,
  });
  const told = instance.acknowledged.map(one => [one.repositoryId, one.ref, one.to]);
  assert.deepEqual(told.sort(), [
    [2, 'refs/heads/main', head],
    [2, 'refs/heads/topic', head],
    [2, 'refs/tags/v1', head],
  ]);
  await git(['push', '--quiet', 'origin', ':topic'], { cwd: clone });
  assert.equal(instance.acknowledged.at(-1)?.to, null);

  // What the fast path writes is Git's own: a real client takes it.
  const fast = await instance.push({ repositoryId: 2, ref: 'refs/heads/main' });
  await git(['pull', '--quiet', '--ff-only'], { cwd: clone });
  assert.equal((await git(['rev-parse', 'HEAD'], { cwd: clone })).trim(), fast.to);
  await instance.repack(2);
  const report = await checkPair({ home: instance.home, databaseUrl: instance.databaseUrl, fsck: 'full' });
  assert.deepEqual(report.disagreements, []);
});

test('a push without a name is refused, a clone is not', async () => {
  const anonymous = it().cloneUrl(3).replace('somebody:anything@', '');
  await git(['clone', '--quiet', '--bare', anonymous, join(scratch, 'bare.git')], { cwd: scratch });
  const pushed = await runGit(['push', anonymous, 'main:refs/heads/mine'], {
    cwd: join(scratch, 'bare.git'),
  });
  assert.notEqual(pushed.code, 0);
});

test('clone and push meet the 503 page while locked, and work again afterwards', async () => {
  const { unlockToken } = await latch(it());
  for (const args of [
    ['ls-remote', it().cloneUrl(1)],
    ['push', it().cloneUrl(3), 'main:refs/heads/mine'],
  ]) {
    const { code, stderr } = await runGit(args, { cwd: join(scratch, 'bare.git') });
    assert.notEqual(code, 0);
    assert.match(stderr, /503/);
  }
  await unlock(it(), unlockToken);
  await git(['push', '--quiet', it().cloneUrl(3), 'main:refs/heads/mine'], {
    cwd: join(scratch, 'bare.git'),
  });
  assert.equal(it().acknowledged.at(-1)?.ref, 'refs/heads/mine');
});
