import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../../bench/instance/index.ts';
import { type Answer, call, latch, status, unlock, withInstance } from './with-instance.ts';

const { instance: it } = withInstance();

afterEach(async () => {
  it().faults.clear();
  await it().restart(); // nothing stays locked from one test to the next
});

const lock = (): Promise<Answer> => call(it(), 'POST', '/mvc/maintenance/lock');
const properties = (): Promise<Answer> => call(it(), 'GET', '/rest/api/1.0/application-properties');

/** The status, or the code of what went wrong. */
async function outcome(answer: Promise<Answer>): Promise<string> {
  return answer.then(
    ({ status }) => String(status),
    (error: NodeJS.ErrnoException) => error.code ?? 'error',
  );
}

/** True when no answer came for a while. */
async function isLate(answer: Promise<unknown>): Promise<boolean> {
  answer.catch(() => {}); // the end of the instance ends it
  return Promise.race([answer.then(() => false), sleep(80, true)]);
}

const answers: [string, Fault['misbehave'], string][] = [
  ['an HTML page', { kind: 'html' }, '200'],
  ['an HTML page with an error', { kind: 'html', status: 502 }, '502'],
  ['a redirect', { kind: 'redirect', to: 'https://proxy.invalid/login' }, '302'],
  ['an empty success', { kind: 'empty' }, '204'],
  ['an error', { kind: 'status', status: 500 }, '500'],
  ['a dropped connection', { kind: 'drop' }, 'ECONNRESET'],
  ['no answer', { kind: 'hang' }, 'late'],
  ['half an answer', { kind: 'stall' }, 'late'],
];
for (const [name, misbehave, expected] of answers) {
  test(`${name} to a lock, as often as asked, without effect`, async () => {
    it().faults.add({ route: 'lock', misbehave, times: 1 });
    const answer = lock();
    if (expected === 'late') assert.equal(await isLate(answer), true);
    else assert.equal(await outcome(answer), expected);
    assert.equal(it().isLocked, misbehave.kind === 'stall'); // half of the real answer: the lock is real
    assert.equal((await properties()).status, misbehave.kind === 'stall' ? 503 : 200);
    if (misbehave.kind !== 'stall') assert.equal((await lock()).status, 202);
  });
}

test('a lock can take effect and its answer be lost', async () => {
  it().faults.add({ route: 'lock', misbehave: { kind: 'drop' }, effect: true });
  assert.equal(await outcome(lock()), 'ECONNRESET');
  assert.equal(it().isLocked, true);
});

test('a token can be null, as a real answer without one', async () => {
  it().faults.add({ route: 'lock', misbehave: { kind: 'no-token' } });
  const answer = await lock();
  assert.deepEqual([answer.status, JSON.parse(answer.body).unlockToken], [202, null]);
});

test('a body can be anything', async () => {
  it().faults.add({ route: 'properties', misbehave: { kind: 'body', body: { version: '3.11' } } });
  assert.equal((await properties()).body, '{"version":"3.11"}');
});

test('an answer can be late, before or after it takes effect', async () => {
  it().faults.add({ route: 'lock', misbehave: { kind: 'delay', ms: 500 }, times: 1 });
  const early = lock();
  assert.equal(await isLate(early), true);
  assert.equal(it().isLocked, false);
  assert.equal((await early).status, 202);
  await it().restart();
  it().faults.add({ route: 'lock', misbehave: { kind: 'delay', ms: 500 }, times: 1, effect: true });
  const late = lock();
  assert.equal(await isLate(late), true);
  assert.equal(it().isLocked, true);
  assert.equal((await late).status, 202);
});

test('an unlock can be refused twice and then be granted', async () => {
  const { unlockToken } = await latch(it());
  it().faults.add({ route: 'unlock', misbehave: { kind: 'status', status: 500 }, times: 2 });
  const tries = [];
  for (let n = 0; n < 3; n += 1) tries.push((await unlock(it(), unlockToken)).status);
  assert.deepEqual(tries, [500, 500, 202]);
});

test('progress can be refused for good', async () => {
  const { unlockToken } = await latch(it());
  it().faults.add({ route: 'progress', misbehave: { kind: 'status', status: 409 } });
  const path = `/mvc/admin/backups/progress/client?token=${unlockToken}&percentage=10`;
  assert.equal((await call(it(), 'POST', path)).status, 409);
  assert.equal((await status(it())).task?.state, 'RUNNING');
});

test('a drain can last on either side, until the fault is taken back', async () => {
  it().faults.add({ route: 'backup', misbehave: { kind: 'hold-drain', sides: ['scm'] } });
  await latch(it());
  const held = await status(it());
  assert.deepEqual([held['db-state'], held['scm-state']], ['DRAINED', 'LATCHED']);
  it().faults.clear();
  assert.equal((await status(it()))['scm-state'], 'DRAINED');
});

test('a drain can last for a while', async () => {
  it().faults.add({ route: 'backup', misbehave: { kind: 'hold-drain', ms: 60 } });
  await latch(it());
  while ((await status(it()))['db-state'] !== 'DRAINED') await sleep(10);
  const { latched, drained } = it().latches.at(-1)!;
  assert.ok(drained!.monotonicMs - latched!.monotonicMs > 50);
});

for (const state of ['FAILED', 'CANCELED'] as const) {
  test(`the task can end as ${state} after some polls`, async () => {
    await latch(it());
    it().faults.add({ route: 'status', misbehave: { kind: 'end-task', state }, skip: 2 });
    const states = [];
    for (let n = 0; n < 3; n += 1) states.push((await status(it())).task?.state);
    assert.deepEqual(states, ['RUNNING', 'RUNNING', state]);
    assert.equal(it().isLocked, true);
  });
}

test('a restart closes what is open and forgets the lock', async () => {
  const { unlockToken } = await latch(it());
  it().faults.add({ route: 'status', misbehave: { kind: 'restart', downMs: 500 }, times: 1 });
  await assert.rejects(status(it()), { code: 'ECONNRESET' });
  assert.equal(await outcome(properties()), 'ECONNREFUSED');
  while ((await outcome(properties())) === 'ECONNREFUSED') await sleep(20);
  assert.equal((await unlock(it(), unlockToken)).status, 404);
  assert.equal(it().latches.at(-1)?.end, 'restarted');
  assert.equal((await properties()).status, 200);
});

test('a request that is held takes effect before or after, as told, and a restart drops it', async () => {
  for (const effect of [true, false]) {
    const takeBack = it().faults.add({ route: 'lock', misbehave: { kind: 'hold' }, times: 1, effect });
    const held = lock();
    while (it().faults.kept === 0) await sleep(2);
    assert.equal(it().isLocked, effect);
    it().faults.endKept('let go');
    assert.equal((await held).status, 202);
    takeBack();
    await it().restart();
  }
  it().faults.add({ route: 'lock', misbehave: { kind: 'hold' }, times: 1 });
  const dropped = outcome(lock());
  while (it().faults.kept === 0) await sleep(2);
  await it().restart();
  assert.equal(await dropped, 'ECONNRESET');
  assert.equal(it().isLocked, false);
});

test('several faults meet in one request, each with its own count', async () => {
  it().faults.add({ route: 'any', misbehave: { kind: 'delay', ms: 10 }, times: 1 });
  const takeBack = it().faults.add({
    route: 'properties',
    misbehave: { kind: 'status', status: 502 },
    skip: 1,
  });
  assert.deepEqual([(await properties()).status, (await properties()).status], [200, 502]);
  takeBack();
  assert.equal((await properties()).status, 200);
});

test('another process adds faults and reads the clock through the test endpoints', async () => {
  const body = JSON.stringify([
    { route: 'web', misbehave: { kind: 'status', status: 418 } },
  ] satisfies Fault[]);
  assert.equal((await call(it(), 'POST', '/stand-in/faults', { body })).status, 204);
  assert.equal((await call(it(), 'GET', '/')).status, 418);
  assert.equal((await call(it(), 'DELETE', '/stand-in/faults')).status, 204);
  assert.equal((await call(it(), 'GET', '/')).status, 200);
  await lock();
  const state = JSON.parse((await call(it(), 'GET', '/stand-in/state')).body);
  assert.deepEqual([state.isLocked, state.latches.length], [true, it().latches.length]);
});
