import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Rig, runHere } from '../../bench/rig/index.ts';
import type { Phase } from '../../engine/index.ts';
import { sentinelOf } from '../helpers/processes.ts';
import { backUpAndStopAt, failureOf, manifestsOf, smallRig } from '../helpers/small-rig.ts';

describe('stillpoint cancel', { skip: process.platform !== 'linux' }, () => {
  let rig: Rig;
  before(async () => {
    rig = await smallRig({ inProcess: true });
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const cancel = () => runHere(['cancel', '--json'], { env: rig.env, cwd: rig.folder });
  const assertDiscarded = () => {
    assert.equal(rig.instance.isLocked, false);
    assert.equal(existsSync(join(rig.store, 'manifests')), false);
  };

  test('with nothing to end it is done, and says so', async () => {
    const { code, json } = await cancel();
    const { canceled, pid, unlocked, snapshot, leftLocks } = json.at(-1)!;
    assert.deepEqual([code, canceled, pid, unlocked, snapshot, leftLocks], [0, false, null, false, null, 0]);
  });

  for (const [phase, wasLocked] of [
    ['pre-scan', false],
    ['drain', true],
    ['capture', true], // there it is stopped, too, and woken
    ['finish', false],
  ] as [Phase, boolean][]) {
    test(`ends a run in phase ${phase}, which leaves no snapshot and no lock`, async () => {
      const program = await backUpAndStopAt(rig, phase);
      if (phase === 'capture') program.kill('SIGSTOP');
      const { code, json } = await cancel();
      assert.deepEqual(
        [code, json.at(-1)],
        [
          0,
          {
            ...{ messageType: 'summary', canceled: true, pid: program.pid, phase, killed: false },
            ...{ unlocked: wasLocked, snapshot: null },
          },
        ],
      );
      assert.deepEqual(failureOf(await program.ended), { exit: 143, code: 'TERMINATED' });
      assertDiscarded();
      if (phase === 'capture') assert.ok(rig.instance.calls.some(call => call.route === 'cancel'));
    });
  }

  test('leaves what a dead run locked to unlock, and says so', async () => {
    const program = await backUpAndStopAt(rig, 'capture');
    program.kill('SIGSTOP');
    const sentinel = sentinelOf(program.pid);
    assert.ok(sentinel);
    process.kill(sentinel, 'SIGKILL');
    program.kill('SIGKILL');
    await program.ended;
    assert.equal(rig.instance.isLocked, true);
    const { code, json } = await cancel();
    assert.deepEqual([code, json.at(-1)?.['canceled'], json.at(-1)?.['leftLocks']], [0, false, 1]);
    assert.equal(rig.instance.isLocked, true, 'what a dead run left is for unlock');
    await rig.summary(['unlock', '--json']);
    assertDiscarded();
  });

  test('without a configuration there is no instance to cancel', async () => {
    const env = { ...rig.env, STILLPOINT_CONFIG: '' };
    assert.deepEqual(failureOf(await runHere(['cancel', '--json'], { env, cwd: rig.stateDir })), {
      exit: 2,
      code: 'CONFIG_INVALID',
    });
  });

  test('the next run works', async () => {
    await rig.summary(['backup', '--json']);
    assert.equal(manifestsOf(rig).length, 1);
  });
});
