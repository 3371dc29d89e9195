import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LockedError } from '../../bench/instance/index.ts';
import { call, latch, status, unlock, withInstance } from './with-instance.ts';

const { instance: it } = withInstance();

function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>(resolve => {
    open = resolve;
  });
  return { opened, open };
}

test('a write under way is waited for, while new ones and every page meet the 503 page', async () => {
  const instance = it();
  const held = gate();
  const moved = gate();
  const during = async () => {
    moved.open();
    await held.opened;
  };
  const slow = instance.push({ repositoryId: 1, ref: 'refs/heads/slow', during });
  await moved.opened;
  const { unlockToken, taskId } = await latch(instance);
  const before = await status(instance);
  assert.deepEqual([before['db-state'], before['scm-state']], ['LATCHED', 'LATCHED']);
  assert.equal(before.task?.id, taskId);
  assert.equal(before.task?.state, 'RUNNING');
  assert.equal(instance.latches.at(-1)?.drained, null);

  await assert.rejects(instance.push({ repositoryId: 2, ref: 'refs/heads/main' }), LockedError);
  await assert.rejects(instance.repack(2), LockedError);
  for (const path of ['/', '/rest/api/1.0/application-properties', '/scm/stand/repository-1.git/info/refs']) {
    const page = await call(instance, 'GET', path);
    assert.equal(page.status, 503, path);
    assert.match(page.headers['content-type'] ?? '', /^text\/html/);
  }

  held.open();
  const done = await slow;
  const after = await status(instance);
  assert.deepEqual([after['db-state'], after['scm-state']], ['DRAINED', 'DRAINED']);
  const { locked, drained } = instance.latches.at(-1)!;
  assert.ok(locked.monotonicMs < done.acknowledgedMs && done.acknowledgedMs <= drained!.monotonicMs);
  assert.equal((await unlock(instance, unlockToken)).status, 202);
  assert.ok((await instance.push({ repositoryId: 2, ref: 'refs/heads/main' })).rowId > done.rowId);
});

test('progress 100 ends the backup and un-latches, and the lock stays until its own call', async () => {
  const instance = it();
  const { unlockToken } = await latch(instance);
  const report = (percentage: number) =>
    call(
      instance,
      'POST',
      `/mvc/admin/backups/progress/client?token=${unlockToken}&percentage=${percentage}`,
    );
  assert.deepEqual(await report(50).then(({ status, body }) => ({ status, body })), {
    status: 202,
    body: '',
  });
  assert.equal((await status(instance)).task?.progress.percentage, 55);
  assert.equal((await report(100)).status, 202);
  const ended = await status(instance);
  assert.deepEqual(
    [ended['db-state'], ended['scm-state'], ended.task?.state],
    ['AVAILABLE', 'AVAILABLE', 'SUCCESSFUL'],
  );
  assert.equal((await report(100)).status, 409);
  await instance.repack(1); // background work goes on
  await assert.rejects(instance.push({ repositoryId: 1, ref: 'refs/heads/main' }), LockedError);
  assert.equal((await unlock(instance, unlockToken)).status, 202);
  const latched = instance.latches.at(-1)!;
  assert.deepEqual([latched.end, latched.progress.map(one => one.percentage)], ['unlocked', [50, 100]]);
});

test('a second lock and a wrong token are conflicts, an unlock without a lock finds nothing', async () => {
  const instance = it();
  assert.equal((await unlock(instance, 'any')).status, 404);
  const first = await call(instance, 'POST', '/mvc/maintenance/lock');
  assert.equal(first.status, 202);
  assert.equal(JSON.parse(first.body).owner.name, instance.admin.user);
  assert.equal((await call(instance, 'POST', '/mvc/maintenance/lock')).status, 409);
  assert.equal((await unlock(instance, 'wrong')).status, 409);
  assert.equal((await call(instance, 'POST', '/mvc/admin/backups?external=true')).status, 409);
  const { unlockToken } = JSON.parse(first.body) as { unlockToken: string };
  assert.equal((await unlock(instance, unlockToken)).status, 202);
  assert.equal((await unlock(instance, unlockToken)).status, 404);
});

test('only the administrator may maintain', async () => {
  const instance = it();
  for (const as of [null, 'admin:wrong', 'somebody:stand-in secret']) {
    assert.equal((await call(instance, 'POST', '/mvc/maintenance/lock', { as })).status, 401);
  }
  assert.equal(instance.isLocked, false);
});

for (const method of ['POST', 'DELETE']) {
  test(`${method} with the cancel token ends the backup and leaves the lock`, async () => {
    const instance = it();
    const { unlockToken, cancelToken } = await latch(instance);
    assert.equal((await call(instance, method, `/mvc/maintenance?token=wrong`)).status, 409);
    assert.equal((await call(instance, method, `/mvc/maintenance?token=${cancelToken}`)).status, 202);
    const after = await status(instance);
    assert.deepEqual(
      [after.task?.state, after['db-state'], instance.isLocked],
      ['CANCELED', 'AVAILABLE', true],
    );
    assert.equal((await unlock(instance, unlockToken)).status, 202);
  });
}

test('an unlock during a backup ends both', async () => {
  const instance = it();
  const { unlockToken } = await latch(instance);
  assert.equal((await unlock(instance, unlockToken)).status, 202);
  const after = await status(instance);
  assert.deepEqual([after.task?.state, after['db-state']], ['CANCELED', 'AVAILABLE']);
  await instance.push({ repositoryId: 1, ref: 'refs/heads/main' });
});
