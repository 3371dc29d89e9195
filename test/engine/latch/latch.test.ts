import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { before, describe, test } from 'node:test';
import { noApplication } from '../../../engine/app/index.ts';
import { engineError } from '../../../engine/errors.ts';
import type { LatchPhase, LatchToken } from '../../../engine/latch/index.ts';
import { withLatch } from '../../../engine/latch/index.ts';
import {
  answer,
  empty,
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
import { Bench, fastClock } from './harness.ts';

const forever = () => new Promise<never>(() => undefined);

/** Budgets that outlast calls that hang. */
const patient = {
  drainTimeoutMs: 100_000,
  maxHoldMs: 200_000,
  patience: { lockMs: 6_000, unlockMs: 100_000, sentinelMs: 60_000 },
};

/** Whatever happened: nobody is locked out, nothing is left behind. */
async function assertFree(bench: Bench): Promise<void> {
  assert.equal(bench.server.model.isLocked, false, 'unlocked');
  await bench.guard;
  assert.deepEqual(await bench.records(), [], 'no record is left');
  await new Promise(resolve => setImmediate(resolve));
  assert.equal(bench.sleeping, 0, 'no timer is left');
}

describe('a latch', { concurrency: 4 }, () => {
  before(async () => {
    // Loading what the first call needs takes longer than the timeouts of these tests on a busy machine.
    await using bench = await Bench.open();
    await bench.run();
  });

  test('holds the application while the body runs, and proves it', async () => {
    await using bench = await Bench.open();
    const { model } = bench.server;
    const phases: LatchPhase[] = [];
    const tokens: LatchToken[] = [];
    const { result, fence } = await bench.run(
      async window => {
        assert.equal(model.token, 'unlock-1');
        while ((await bench.records())[0]?.token !== 'unlock-1') await fastClock.sleep(10);
        assert.ok(window.budgetMs > 0 && window.budgetMs <= 18_000);
        window.fence(async () => true);
        return 'captured';
      },
      { onPhase: phase => void phases.push(phase), onToken: token => void tokens.push(token) },
    );
    assert.equal(result, 'captured');
    assert.deepEqual(phases, ['lock', 'drain', 'capture', 'fence', 'unlock']);
    assert.deepEqual(
      tokens.map(({ kind, token }) => [kind, token]),
      [
        ['unlock', 'unlock-1'],
        ['cancel', 'cancel-1'],
      ],
    );
    assert.deepEqual(model.progress, [100]);
    assert.equal(bench.server.seen.at(-1)?.call, 'unlock');
    assert.ok(fence);
    assert.equal(fence.kind, 'latched');
    assert.equal(fence.taskId, 'task-1');
    assert.equal(fence.application.version, '8.19.1');
    const sum = fence.lockMs + fence.drainMs + fence.captureMs + fence.unlockMs;
    assert.ok(Math.abs(sum - fence.heldMs) < 1e-6);
    await assertFree(bench);
  });

  test('leaves the signal alone when it ends well: what was pinned lives on', async () => {
    await using bench = await Bench.open();
    let signal: AbortSignal | undefined;
    await bench.run(async window => {
      signal = window.signal;
      return 'captured';
    });
    assert.equal(signal?.aborted, false);
  });

  test('asks for the fence after the body has returned', async () => {
    await using bench = await Bench.open();
    let asked = 0;
    await bench.run(async () => {
      asked = bench.server.count('state');
      return 'captured';
    });
    assert.ok(bench.server.count('state') > asked);
  });

  test('reports progress without waiting for it', async () => {
    await using bench = await Bench.open();
    bench.server.always('progress', hang);
    const { result } = await bench.run(async window => {
      for (let percent = 0; percent <= 100; percent += 1) window.progress(percent);
      return 'captured';
    });
    assert.equal(result, 'captured');
    const reports = bench.server.seen.filter(one => one.call === 'progress');
    assert.equal(reports.length, 2, 'the one that hangs, and the last');
    await assertFree(bench);
  });

  test('reports what the body says while the application listens', async () => {
    await using bench = await Bench.open();
    await bench.run(async window => {
      for (const percent of [10.7, 5, 50, 100]) {
        window.progress(percent);
        await fastClock.sleep(1000);
      }
      return 'captured';
    });
    assert.deepEqual(bench.server.model.progress, [10, 50, 99, 100]);
  });

  test('of an application that needs none runs the body alone', async () => {
    const phases: LatchPhase[] = [];
    const options = {
      stateDir: '/nowhere',
      instance: 'i',
      drainTimeoutMs: 1,
      maxHoldMs: 1,
      clock: fastClock,
    };
    const onPhase = (phase: LatchPhase) => void phases.push(phase);
    const { result, fence } = await withLatch({ app: noApplication(), ...options, onPhase }, async window => {
      assert.equal(window.budgetMs, Number.POSITIVE_INFINITY);
      return 7;
    });
    assert.equal(result, 7);
    assert.equal(fence.kind, 'none');
    assert.equal(fence.lockedAtMs, null);
    assert.deepEqual(phases, ['capture', 'fence']);
    const lapse = withLatch({ app: noApplication(), ...options }, async window =>
      window.fence(async () => false),
    );
    await assert.rejects(lapse, { code: 'LATCH_LAPSED' });
  });
});

describe('a lock call', { concurrency: 4 }, () => {
  const refused = {
    'an HTML page': { fault: loginPage, code: 'APP_REFUSED' },
    'a redirect': { fault: redirect, code: 'APP_REFUSED' },
    'an empty 204': { fault: answer(empty(204)), code: 'APP_REFUSED' },
    'no token': { fault: answer(json(202, { unlockToken: null })), code: 'APP_REFUSED' },
    'a 500 for good': { fault: answer(empty(500)), code: 'APP_REFUSED' },
    'a 401': { fault: answer(empty(401)), code: 'APP_REFUSED' },
    'a 409': { fault: answer(json(409, {})), code: 'APP_LOCKED' },
  };
  for (const [name, { fault, code }] of Object.entries(refused)) {
    test(`that always gets ${name} fails with ${code}, and locks nothing`, async () => {
      await using bench = await Bench.open();
      bench.server.always('lock', fault);
      assert.equal((await bench.run(forever)).code, code);
      await assertFree(bench);
    });
  }

  for (const [name, fault] of Object.entries({
    hangs: hang,
    'is reset': reset,
    'gets a 500': answer(empty(500)),
  })) {
    test(`that ${name} once without effect is made again`, async () => {
      await using bench = await Bench.open();
      bench.server.next('lock', fault);
      assert.equal((await bench.run(undefined, patient)).result, 'captured');
      assert.equal(bench.server.count('lock'), 2);
      await assertFree(bench);
    });
  }

  const lost = {
    hangs: lateHang,
    'is reset': lateReset,
    'gets half an answer': lateCut,
    'gets a 500': lateAnswer(empty(500)),
    'gets an empty 204': lateAnswer(empty(204)),
    'gets a null token': lateAnswer(json(202, { unlockToken: null })),
  };
  for (const [name, fault] of Object.entries(lost)) {
    test(`that took effect but ${name} says that it may be locked, and keeps the record`, async () => {
      await using bench = await Bench.open();
      bench.server.next('lock', fault);
      const { code, error } = await bench.run(forever);
      assert.equal(code, 'APP_STILL_LOCKED');
      assert.match((error as { remedy: string }).remedy, /restart the application/);
      await bench.guard;
      assert.equal((await bench.records())[0]?.token, null);
      // The next run finds it locked still, and says so, until somebody ended the lock.
      assert.equal((await bench.run(forever)).code, 'APP_STILL_LOCKED');
      bench.server.restart();
      assert.equal((await bench.run()).result, 'captured');
      await assertFree(bench);
    });
  }

  test('is not made when the signal aborts before it', async () => {
    await using bench = await Bench.open();
    const abort = new AbortController();
    const onPhase = (phase: LatchPhase) => (phase === 'lock' ? abort.abort(new Error('stop')) : undefined);
    const { error } = await bench.run(forever, { signal: abort.signal, onPhase });
    assert.equal((error as Error).message, 'stop');
    assert.equal(bench.server.count('lock'), 0);
    await assertFree(bench);
  });

  test('is waited for when the signal aborts during it, and its lock is given back', async () => {
    await using bench = await Bench.open();
    const abort = new AbortController();
    bench.server.onCall = call => {
      if (call === 'lock') abort.abort(new Error('stop'));
    };
    const { error } = await bench.run(forever, { signal: abort.signal });
    assert.equal((error as Error).message, 'stop');
    assert.equal(bench.server.count('start'), 0);
    await assertFree(bench);
  });

  test('whose token cannot be written down is given back', async () => {
    await using bench = await Bench.open();
    const folder = path.join(bench.stateDir, 'latches');
    const onPhase = async (phase: LatchPhase) => {
      if (phase !== 'lock') return;
      await rm(folder, { recursive: true });
      await writeFile(folder, '');
    };
    const { code } = await bench.run(forever, { onPhase });
    assert.equal(code, 'LATCH_LAPSED');
    assert.equal(bench.server.model.isLocked, false);
  });
});

describe('a drain', { concurrency: 4 }, () => {
  test('that does not end fails with APP_NOT_DRAINED', async () => {
    await using bench = await Bench.open();
    bench.server.model.pollsToDrain = Number.POSITIVE_INFINITY;
    const { code } = await bench.run(forever, { drainTimeoutMs: 2_000 });
    assert.equal(code, 'APP_NOT_DRAINED');
    assert.equal(bench.server.count('cancel'), 1, 'the task is ended too');
    await assertFree(bench);
  });

  test('takes unknown states and failing polls for not drained yet', async () => {
    await using bench = await Bench.open();
    const task = { id: 'task-1', state: 'RUNNING' };
    bench.server.next(
      'state',
      answer(empty(500)),
      hang,
      reset,
      answer(json(200, { task, 'db-state': 'DRAINED', 'scm-state': 'DRAINING' })),
      answer(json(200, { task, 'db-state': 'drained' })),
      answer(json(200, { task, 'db-state': 'LATCHED', 'scm-state': 'DRAINED' })),
    );
    const { result, error } = await bench.run(undefined, patient);
    assert.equal(result, 'captured', String(error));
    assert.ok(bench.server.count('state') >= 8);
  });

  const states = { CANCELED: 'APP_CANCELED', FAILED: 'APP_CANCELED', SUCCESSFUL: 'LATCH_LAPSED' };
  for (const [state, code] of Object.entries(states)) {
    test(`in which the task is ${state} fails with ${code}`, async () => {
      await using bench = await Bench.open();
      bench.server.next('state', ({ response, apply }) => {
        bench.server.model.task!.state = state;
        const { status, body } = apply();
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      });
      assert.equal((await bench.run(forever)).code, code);
      await assertFree(bench);
    });
  }

  for (const [name, fault] of Object.entries({ 'a login page': loginPage, 'a 401': answer(empty(401)) })) {
    test(`whose poll gets ${name} fails at once`, async () => {
      await using bench = await Bench.open();
      bench.server.next('state', fault);
      assert.equal((await bench.run(forever)).code, 'APP_REFUSED');
      await assertFree(bench);
    });
  }

  for (const [name, fault] of Object.entries({
    hangs: hang,
    fails: answer(empty(500)),
    'is no JSON': loginPage,
  })) {
    test(`whose task's start ${name} is not begun`, async () => {
      await using bench = await Bench.open();
      bench.server.next('start', fault);
      assert.match((await bench.run(forever)).code ?? '', /^APP_(UNREACHABLE|REFUSED)$/);
      await assertFree(bench);
    });
  }
});

describe('a body', { concurrency: 4 }, () => {
  test('that throws is unlocked, and its error thrown', async () => {
    await using bench = await Bench.open();
    const mistake = new TypeError('mistake');
    const { error } = await bench.run(() => Promise.reject(mistake));
    assert.equal(error, mistake);
    assert.equal(bench.server.count('cancel'), 1);
    await assertFree(bench);
  });

  test('past its budget is unlocked before it has ended', async () => {
    await using bench = await Bench.open();
    let isLockedAtEnd: boolean | undefined;
    const { code } = await bench.run(
      async window => {
        await new Promise(resolve => window.signal.addEventListener('abort', resolve));
        await fastClock.sleep(1_000);
        isLockedAtEnd = bench.server.model.isLocked;
        throw window.signal.reason;
      },
      { maxHoldMs: 4_000 },
    );
    assert.equal(code, 'LATCH_OVERRUN');
    assert.equal(isLockedAtEnd, false);
    await assertFree(bench);
  });

  test('that ignores its signal does not keep the application locked, nor the run', async () => {
    await using bench = await Bench.open();
    assert.equal((await bench.run(forever, { maxHoldMs: 3_000 })).code, 'LATCH_OVERRUN');
    await assertFree(bench);
  });

  test('is stopped when the application is interrupted', async () => {
    await using bench = await Bench.open();
    const abort = new AbortController();
    const reason = engineError('INTERRUPTED', 'Cannot go on: interrupted');
    const body = () => {
      abort.abort(reason);
      return forever();
    };
    const { error } = await bench.run(body, { signal: abort.signal });
    assert.equal(error, reason);
    await assertFree(bench);
  });

  const events = {
    'the task is canceled from the page': { event: 'CANCELED', code: 'APP_CANCELED' },
    'the task fails': { event: 'FAILED', code: 'APP_CANCELED' },
    'the application restarts': { event: 'restart', code: 'LATCH_LAPSED' },
    'somebody else unlocks': { event: 'unlock', code: 'LATCH_LAPSED' },
    'somebody else locks': { event: 'lock', code: 'LATCH_LAPSED' },
  };
  for (const [name, { event, code }] of Object.entries(events)) {
    test(`is stopped soon after ${name}`, async () => {
      await using bench = await Bench.open();
      const { server } = bench;
      const outcome = await bench.run(() => {
        if (event === 'restart') server.restart();
        else if (event === 'unlock') server.model.restart();
        else if (event === 'lock') server.model.token = 'of somebody else';
        else server.model.task!.state = event;
        return forever();
      });
      assert.equal(outcome.code, code);
      if (event === 'lock') assert.equal(server.model.token, 'of somebody else');
      else await assertFree(bench);
    });
  }

  test('is not stopped by polls that fail for a while', async () => {
    await using bench = await Bench.open();
    const { result } = await bench.run(async () => {
      bench.server.next('state', answer(empty(503)), answer(empty(401)), loginPage, reset);
      await fastClock.sleep(8_000);
      return 'captured';
    });
    assert.equal(result, 'captured');
  });
});

describe('a fence', { concurrency: 4 }, () => {
  test('does not hold when the database lost its pin', async () => {
    await using bench = await Bench.open();
    const { code } = await bench.run(async window => {
      window.fence(async () => true);
      window.fence(async () => false);
      return 'captured';
    });
    assert.equal(code, 'LATCH_LAPSED');
    assert.deepEqual(bench.server.model.progress, []);
    await assertFree(bench);
  });

  test('does not hold when asking the database fails', async () => {
    await using bench = await Bench.open();
    const lost = engineError('DATABASE_FAILED', 'Cannot ask: connection lost');
    const { error } = await bench.run(async window => {
      window.fence(() => Promise.reject(lost));
      return 'captured';
    });
    assert.equal(error, lost);
    await assertFree(bench);
  });

  const lapses = {
    'another task runs': json(200, {
      task: { id: 'x', state: 'RUNNING' },
      'db-state': 'DRAINED',
      'scm-state': 'DRAINED',
    }),
    'no task runs': json(200, { 'db-state': 'DRAINED', 'scm-state': 'DRAINED' }),
    'one half runs again': json(200, {
      task: { id: 'task-1', state: 'RUNNING' },
      'db-state': 'AVAILABLE',
      'scm-state': 'DRAINED',
    }),
    'it does not say': empty(500),
  };
  for (const [name, reply] of Object.entries(lapses)) {
    test(`does not hold when ${name}`, async () => {
      await using bench = await Bench.open();
      const { code } = await bench.run(async () => {
        bench.server.always('state', answer(reply));
        return 'captured';
      });
      assert.equal(code, 'LATCH_LAPSED');
      await assertFree(bench);
    });
  }

  test('is asked again when the question is lost', async () => {
    await using bench = await Bench.open();
    const { result } = await bench.run(async () => {
      bench.server.next('state', reset, hang);
      return 'captured';
    }, patient);
    assert.equal(result, 'captured');
  });

  test('does not hold when the unlock finds no lock', async () => {
    for (const lapse of ['nobody', 'other'] as const) {
      await using bench = await Bench.open();
      bench.server.next('progress', ({ response }) => {
        bench.server.model.restart();
        if (lapse === 'other') bench.server.model.token = 'of somebody else';
        response.writeHead(202).end();
      });
      assert.equal((await bench.run()).code, 'LATCH_LAPSED');
      await bench.guard;
      assert.deepEqual(await bench.records(), []);
    }
  });

  test('does not hold when an unlock whose answer was lost did the work', async () => {
    await using bench = await Bench.open();
    bench.server.next('unlock', lateReset);
    assert.equal((await bench.run()).code, 'LATCH_LAPSED');
    await assertFree(bench);
  });
});

describe('an unlock', { concurrency: 4 }, () => {
  const passing = [answer(empty(500)), reset, hang, loginPage, notFoundPage, redirect, answer(empty(204))];
  for (const count of [1, 3, passing.length]) {
    test(`refused ${count} times is tried again`, async () => {
      await using bench = await Bench.open();
      bench.server.next('unlock', ...passing.slice(0, count));
      // The proxy's page is not believed as long as the application is not reached through it.
      const { server } = bench;
      const { result } = await bench.run(async () => {
        server.next('properties', notFoundPage);
        return 'captured';
      }, patient);
      assert.equal(result, 'captured');
      assert.equal(server.count('unlock'), count + 1);
      await assertFree(bench);
    });
  }

  test('refused for good is told before anything else, with the way to do it by hand', async () => {
    await using bench = await Bench.open();
    bench.server.always('unlock', answer(empty(500)));
    const mistake = new Error('mistake');
    const outcome = await bench.run(() => Promise.reject(mistake), {
      patience: { unlockMs: 1_000, sentinelMs: 60_000 },
    });
    assert.equal(outcome.code, 'APP_STILL_LOCKED');
    const error = outcome.error as Error & { remedy: string };
    assert.equal(error.cause, mistake);
    assert.match(error.remedy, /stillpoint unlock/);
    assert.match(error.remedy, /curl .*lock\?token=unlock-1/);
    assert.equal((await bench.records())[0]?.token, 'unlock-1');
    // The sentinel goes on after the program has given up.
    bench.server.always('unlock', undefined);
    await bench.guard;
    await assertFree(bench);
  });

  test('refused for good fails a run that was good until then', async () => {
    await using bench = await Bench.open();
    bench.server.always('unlock', answer(empty(403)));
    const patience = { unlockMs: 1_000, sentinelMs: 2_000 };
    assert.equal((await bench.run(undefined, { patience })).code, 'APP_STILL_LOCKED');
    await bench.guard;
    assert.equal((await bench.records()).length, 1, 'kept for the next run');
  });

  test('goes on when the signal aborts in it, and the run fails', async () => {
    await using bench = await Bench.open();
    const abort = new AbortController();
    bench.server.next('unlock', ({ response }) => {
      abort.abort(new Error('stop'));
      response.writeHead(500).end();
    });
    const { error } = await bench.run(undefined, { signal: abort.signal });
    assert.equal((error as Error).message, 'stop');
    await assertFree(bench);
  });

  test('does not wait for a task whose cancel hangs', async () => {
    await using bench = await Bench.open();
    bench.server.always('cancel', hang);
    assert.equal((await bench.run(() => Promise.reject(new Error('mistake')))).code, 'Error: mistake');
    await assertFree(bench);
  });
});
