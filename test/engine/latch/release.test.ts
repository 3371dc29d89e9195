import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { type LatchRecord, recordPath, writeRecord } from '../../../engine/latch/record.ts';
import { answer, empty } from '../app/scripted-app.ts';
import { Bench } from './harness.ts';

/** A record of a run that is dead, unless it is told otherwise. */
async function leave(bench: Bench, left: Partial<LatchRecord> = {}): Promise<LatchRecord> {
  const record: LatchRecord = {
    version: 1,
    run: `run-${Math.trunc(performance.now() * 1000)}`,
    instance: 'instance',
    application: { type: 'bitbucket', location: bench.server.url, user: 'admin' },
    program: { pid: 1, started: '0', boot: 'another' },
    host: 'host',
    lockRequestedAt: '2026-01-01T00:00:00.000Z',
    token: null,
    ...left,
  };
  await writeRecord(recordPath(bench.stateDir, record), record);
  return record;
}

async function lock(bench: Bench): Promise<string> {
  assert.equal((await bench.server.client().lock()).outcome, 'locked');
  return bench.server.model.token!;
}

describe('releasing latches', { concurrency: 4 }, () => {
  test('finds nothing where nothing was left', async () => {
    await using bench = await Bench.open();
    assert.deepEqual(await bench.release(), { unlocked: 0, lapsed: 0, unresolved: [] });
    assert.equal(bench.server.seen.length, 0);
  });

  test('unlocks with the token of a dead run, and forgets it', async () => {
    await using bench = await Bench.open();
    await leave(bench, { token: await lock(bench) });
    assert.deepEqual(await bench.release(), { unlocked: 1, lapsed: 0, unresolved: [] });
    assert.equal(bench.server.model.isLocked, false);
    assert.deepEqual(await bench.records(), []);
  });

  test('forgets a lock that is gone, also when somebody else holds one now', async () => {
    await using bench = await Bench.open();
    await leave(bench, { token: 'gone' });
    assert.equal((await bench.release()).lapsed, 1);
    await leave(bench, { token: 'gone' });
    await lock(bench);
    assert.equal((await bench.release()).lapsed, 1);
    assert.ok(bench.server.model.isLocked, 'theirs stays');
    assert.deepEqual(await bench.records(), []);
  });

  test('keeps the record when the application refuses', async () => {
    await using bench = await Bench.open();
    await leave(bench, { token: await lock(bench) });
    bench.server.always('unlock', answer(empty(401)));
    await assert.rejects(bench.release({ patienceMs: 500 }), { code: 'APP_STILL_LOCKED' });
    assert.equal((await bench.records()).length, 1);
  });

  test('leaves the lock of a run that lives', async () => {
    await using bench = await Bench.open();
    const codes: unknown[] = [];
    const { result } = await bench.run(async () => {
      await bench.release().catch((error: { code?: string }) => codes.push(error.code));
      return 'captured';
    });
    assert.deepEqual(codes, ['RUN_ACTIVE']);
    assert.equal(result, 'captured');
  });

  test('releases what an earlier run of this very process gave up on', async () => {
    await using bench = await Bench.open();
    bench.server.always('unlock', answer(empty(500)));
    const patience = { unlockMs: 200, sentinelMs: 200 };
    assert.equal((await bench.run(undefined, { patience })).code, 'APP_STILL_LOCKED');
    await bench.guard;
    bench.server.always('unlock', undefined);
    assert.equal((await bench.release()).unlocked, 1);
  });

  test('takes a token from a person, whoever holds that lock', async () => {
    await using bench = await Bench.open();
    const token = await lock(bench);
    await leave(bench, { token });
    await leave(bench, { token: 'another', run: 'another' });
    assert.equal((await bench.release({ token })).unlocked, 1);
    assert.deepEqual(
      (await bench.records()).map(record => record.token),
      ['another'],
    );
  });

  test('forgets a lock call that nobody knows the outcome of when people are served', async () => {
    await using bench = await Bench.open();
    await leave(bench);
    assert.deepEqual((await bench.release()).unresolved, []);
    assert.deepEqual(await bench.records(), []);
  });

  test('tells of one when nobody is served, and of one on another address', async () => {
    await using bench = await Bench.open();
    await lock(bench);
    await leave(bench);
    const application = { type: 'bitbucket', location: 'http://elsewhere', user: 'admin' } as const;
    await leave(bench, { application, token: 'there', run: 'elsewhere' });
    const { unresolved } = await bench.release();
    assert.deepEqual(unresolved.map(({ why }) => why).sort(), ['elsewhere', 'no-token']);
    assert.equal((await bench.records()).length, 2);
  });

  test('leaves the records of other instances alone', async () => {
    await using bench = await Bench.open();
    await leave(bench, { instance: 'other', token: 'x' });
    assert.deepEqual(await bench.release(), { unlocked: 0, lapsed: 0, unresolved: [] });
    assert.equal((await readdir(path.join(bench.stateDir, 'latches'))).length, 1);
  });
});
