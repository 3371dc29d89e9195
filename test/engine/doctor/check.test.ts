import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Check, runChecks } from '../../../engine/doctor/check.ts';
import { good } from '../../../engine/doctor/finding.ts';
import { engineError } from '../../../engine/errors.ts';
import { systemClock } from '../../../store/index.ts';

const fine: Check = { name: 'fine', run: async () => [good('fine', 'all is well')] };
const run = (checks: readonly Check[], limitMs = 1_000) =>
  runChecks(checks, { clock: systemClock, signal: new AbortController().signal, limitMs });

test('a check that crashes is a finding with its remedy, and the others go on', async () => {
  const crash = engineError('HOME_UNREADABLE', 'Cannot look', { remedy: 'Look again.' });
  const checks = [fine, { name: 'crash', run: () => Promise.reject(crash) }, { ...fine, name: 'again' }];
  assert.deepEqual(await run(checks), [
    { check: 'fine', state: 'ok', found: 'all is well' },
    { check: 'crash', state: 'failed', found: 'Cannot look', remedy: 'Look again.' },
  ]);
});

test('a check that hangs is ended, and is a finding', async () => {
  let wasEnded = false;
  const hang: Check = {
    name: 'hang',
    run: signal =>
      new Promise(() => {
        signal.addEventListener('abort', () => {
          wasEnded = true;
        });
      }),
  };
  const [first, second] = await run([hang, fine], 20);
  assert.deepEqual([first?.check, first?.state, second?.state, wasEnded], ['hang', 'failed', 'ok', true]);
});

test('an interruption ends all of it', async () => {
  const controller = new AbortController();
  const stop: Check = {
    name: 'stop',
    run: async signal => {
      controller.abort(engineError('INTERRUPTED', 'Interrupted'));
      signal.throwIfAborted();
      return [];
    },
  };
  const options = { clock: systemClock, signal: controller.signal };
  await assert.rejects(runChecks([stop, fine], options), { code: 'INTERRUPTED' });
});
