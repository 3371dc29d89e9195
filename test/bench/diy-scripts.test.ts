import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, withInstance } from './with-instance.ts';

const { instance: it } = withInstance({ writer: { perSecond: 30, pushesPerSecond: 0, repackEveryMs: 0 } });

const json = { 'content-type': 'application/json' };
const curl = { 'user-agent': 'curl/7.88.1', accept: '*/*' };

/** What `curl -f | jq -r` would print: fails on an error status, `null` for what is absent. */
function read(answer: { status: number; body: string }, field: string): string {
  assert.ok(answer.status < 400, `curl -f fails on ${answer.status}`);
  const found: unknown = field
    .split('/')
    .reduce<unknown>(
      (value, name) => (value as Record<string, unknown> | undefined)?.[name],
      JSON.parse(answer.body),
    );
  return String(found ?? null);
}

test('the calls of the public backup scripts, in their order, do what the scripts expect', async () => {
  const instance = it();
  const version = await call(instance, 'GET', '/rest/api/1.0/application-properties', {
    as: null,
    headers: curl,
  });
  assert.ok(Number.parseInt(read(version, 'version'), 10) >= 4);

  const locked = await call(instance, 'POST', '/mvc/maintenance/lock', { headers: { ...curl, ...json } });
  const token = read(locked, 'unlockToken');
  assert.match(token, /^[0-9a-f]{40}$/);

  const both = { 'user-agent': curl['user-agent'], accept: 'application/json', ...json };
  const withToken = { ...both, 'X-Atlassian-Maintenance-Token': token };
  const started = await call(instance, 'POST', '/mvc/admin/backups?external=true', { headers: withToken });
  assert.equal(started.status, 202);
  assert.match(read(started, 'cancelToken'), /^[0-9a-f]{40}$/);

  for (;;) {
    const polled = await call(instance, 'GET', '/mvc/maintenance', { headers: withToken });
    assert.equal(read(polled, 'task/state'), 'RUNNING');
    if (`${read(polled, 'db-state')}_${read(polled, 'scm-state')}` === 'DRAINED_DRAINED') break;
  }
  const acknowledged = instance.acknowledged.length;

  for (const percentage of [50, 90, 100]) {
    const path = `/mvc/admin/backups/progress/client?token=${token}&percentage=${percentage}`;
    const reported = await call(instance, 'POST', path, { headers: both });
    assert.deepEqual([reported.status, reported.body], [202, '']);
  }
  assert.equal(instance.acknowledged.length, acknowledged);
  const unlocked = await call(instance, 'DELETE', `/mvc/maintenance/lock?token=${token}`, { headers: both });
  assert.ok(unlocked.status === 200 || unlocked.status === 202);

  const routes = instance.calls.map(one => one.route).filter((route, n, all) => route !== all[n - 1]);
  assert.deepEqual(routes, ['lock', 'backup', 'status', 'progress', 'unlock']);
  const { locked: from, latched, drained, unlatched, unlocked: to } = instance.latches.at(-1)!;
  const times = [from, latched, drained, unlatched, to].map(instant => instant!.monotonicMs);
  assert.deepEqual(
    times,
    [...times].sort((a, b) => a - b),
  );
});
