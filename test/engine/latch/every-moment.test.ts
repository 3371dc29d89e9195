import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Call } from '../app/maintenance-model.ts';
import {
  answer,
  empty,
  type Fault,
  hang,
  json,
  lateAnswer,
  lateCut,
  lateHang,
  lateReset,
  loginPage,
  notFoundPage,
  redirect,
  reset,
} from '../app/scripted-app.ts';
import { Bench } from './harness.ts';

/** How many calls of each kind a run makes; both sides ask for the properties once. */
const calls: Partial<Record<Call, number>> = {
  properties: 2,
  lock: 1,
  start: 1,
  state: 4,
  progress: 2,
  unlock: 1,
};
const moments = Object.entries(calls).flatMap(([call, count]) =>
  Array.from({ length: count }, (_, index) => ({ call: call as Call, index })),
);

const faults: Record<string, Fault> = {
  hang,
  reset,
  lateHang,
  lateReset,
  lateCut,
  loginPage,
  notFoundPage,
  redirect,
  'a 204': answer(empty(204)),
  'a late 204': lateAnswer(empty(204)),
  'a 401': answer(empty(401)),
  'a 409': answer(json(409, {})),
  'a 500': answer(empty(500)),
  'a late 500': lateAnswer(empty(500)),
  'a 503': answer(empty(503)),
  'a late login page': lateAnswer({ status: 200, body: '<!DOCTYPE html><html>Please log in</html>' }),
  'a late 503 page': lateAnswer({ status: 503, body: '<html>Backend fetch failed</html>' }),
};

async function captureNow(bench: Bench): Promise<string> {
  assert.ok(bench.server.model.isLocked);
  return 'captured';
}

/** Arms one call of a run: `act` happens when it arrives. */
function at(bench: Bench, moment: { call: Call; index: number }, act: () => void): void {
  let seen = 0;
  bench.server.onCall = call => {
    if (call !== moment.call) return;
    if (seen === moment.index) act();
    seen += 1;
  };
}

describe('at every call of a run', { concurrency: 8 }, () => {
  test('the list of calls is the list that a run makes', async () => {
    await using bench = await Bench.open();
    await bench.run(async window => {
      window.progress(50);
      return captureNow(bench);
    });
    const counts: Partial<Record<Call, number>> = {};
    for (const { call } of bench.server.seen) counts[call] = (counts[call] ?? 0) + 1;
    assert.ok(counts.state! >= calls.state!, 'one a second more, while the body runs');
    assert.deepEqual({ ...counts, state: 0 }, { ...calls, state: 0 });
  });

  for (const { call, index } of moments) {
    for (const [name, fault] of Object.entries(faults)) {
      test(`${call} ${index + 1} × ${name}: unlocked, or told so`, async () => {
        await using bench = await Bench.open();
        for (let before = 0; before < index; before += 1) bench.server.next(call, undefined);
        bench.server.next(call, fault);
        const { code, result } = await bench.run(async window => {
          window.progress(50);
          return captureNow(bench);
        });
        await bench.guard;
        if (code === 'APP_STILL_LOCKED') {
          assert.equal(call, 'lock', 'only a lock whose answer was lost cannot be given back');
          assert.equal((await bench.records())[0]?.token, null);
        } else {
          assert.equal(bench.server.model.isLocked, false);
          assert.deepEqual(await bench.records(), []);
        }
        if (call === 'progress') assert.equal(result, 'captured');
        if (result !== undefined)
          assert.deepEqual(bench.server.model.tokens.length, 1, 'one lock, held throughout');
      });
    }

    test(`${call} ${index + 1} × restart: unlocked, and no result unless it was proven before`, async () => {
      await using bench = await Bench.open();
      at(bench, { call, index }, () => bench.server.restart());
      let isLocked = false;
      const { code, result } = await bench.run(async window => {
        isLocked = bench.server.model.isLocked;
        window.progress(50);
        return 'captured';
      });
      await bench.guard;
      if (code === 'APP_STILL_LOCKED') {
        assert.equal(call, 'lock', 'it came back, took the lock, and its answer was lost');
        return;
      }
      assert.equal(bench.server.model.isLocked, false);
      assert.deepEqual(await bench.records(), []);
      const isBefore = call === 'properties' || call === 'lock';
      assert.equal(result, isBefore && isLocked ? 'captured' : undefined);
    });

    test(`${call} ${index + 1} × death of the program: the sentinel unlocks`, async () => {
      await using bench = await Bench.open();
      let died: () => void = () => {};
      const death = new Promise<void>(resolve => {
        died = resolve;
      });
      at(bench, { call, index }, () => {
        bench.die('program');
        died();
      });
      void bench.run(async window => {
        window.progress(50);
        return captureNow(bench);
      });
      await death;
      await bench.guard;
      assert.equal(bench.server.model.isLocked, false);
      const records = await bench.records();
      // The first call of all comes before there is a record or a sentinel.
      assert.deepEqual(records, []);
    });

    if (call === 'properties' && index === 0) continue; // there is no sentinel yet
    test(`${call} ${index + 1} × death of the sentinel: the program unlocks, and discards the pair`, async () => {
      await using bench = await Bench.open();
      at(bench, { call, index }, () => bench.die('sentinel'));
      const { code, result } = await bench.run(async window => {
        window.progress(50);
        return captureNow(bench);
      });
      if (code === 'APP_STILL_LOCKED') {
        assert.equal(call, 'lock', 'it died with the only answer that held the token');
        return;
      }
      assert.equal(bench.server.model.isLocked, false);
      await bench.release();
      assert.deepEqual(await bench.records(), []);
      assert.equal(result, call === 'unlock' ? 'captured' : undefined, code);
    });
  }
});
