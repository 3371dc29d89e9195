import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Fault } from '../../../bench/instance/index.ts';
import type { Rig } from '../../../bench/rig/index.ts';
import {
  assertEnding,
  assertEndings,
  atPhase,
  configured,
  errorOf,
  type Mishap,
  recordsOf,
  rigAtWork,
  runOn,
} from '../../helpers/endings.ts';
import { isAlive } from '../../helpers/processes.ts';
import { failureOf, until } from '../../helpers/small-rig.ts';

const curl = '/usr/bin/curl';

describe('an application that does not do its part', () => {
  let rig: Rig;

  before(async () => {
    rig = await rigAtWork();
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  /** A fault for as long as the mishap lasts. */
  const spoilt = (fault: Fault) => () => {
    rig.instance.faults.add(fault);
    return () => rig.instance.faults.clear();
  };
  const patient = { patience: { lockMs: 300, unlockMs: 20_000, sentinelMs: 30_000 } };

  test('is not there', async context => {
    const nowhere = configured(rig, text => text.replace(/127\.0\.0\.1(?=:\d+", user)/, 'nowhere.invalid'));
    const gone: Mishap = {
      name: 'application not there',
      where: 'refuses the connection',
      exit: 1,
      code: 'APP_UNREACHABLE',
      arrange: () => {
        const back = rig.instance.restart({ downMs: 1_000 });
        return () => back;
      },
    };
    const ended = await assertEndings(context, rig, [
      gone,
      { name: gone.name, where: 'unknown name', exit: 1, code: 'APP_UNREACHABLE', env: nowhere },
    ]);
    for (const one of ended) assert.match(errorOf(one).remedy, /app\.url|name resolution/);
  });

  test('gives no token: the lock is there, and only a restart ends it, as the message says', async context => {
    const mishaps = [
      ['null', { kind: 'no-token' }],
      ['missing', { kind: 'body', body: {} }],
      ['the text "null"', { kind: 'body', body: { unlockToken: 'null' } }],
    ] as const;
    const ended = await assertEndings(
      context,
      rig,
      mishaps.map(([where, misbehave]): Mishap => {
        const arrange = () => {
          const takeBack = rig.instance.faults.add({ route: 'lock', misbehave });
          return async () => {
            takeBack();
            await rig.instance.restart();
          };
        };
        const code = 'APP_STILL_LOCKED';
        return { name: 'application gives no token', where, exit: 21, code, left: 'lock', arrange };
      }),
    );
    for (const one of ended) assert.match(errorOf(one).remedy, /restart the application/);
  });

  test('never drains', async context => {
    const env = configured(rig, text => `${text}\nlatch: { drainTimeout: 1s }\n`);
    const arrange = spoilt({ route: 'backup', misbehave: { kind: 'hold-drain', sides: ['scm'] } });
    const code = 'APP_NOT_DRAINED';
    const ended = await assertEnding(context, rig, {
      name: 'application never drains',
      exit: 1,
      code,
      arrange,
      env,
    });
    assert.match(errorOf(ended).message, /home LATCHED/);
  });

  test('fails its task', async context => {
    const code = 'APP_CANCELED';
    await assertEndings(context, rig, [
      {
        name: 'application fails its task',
        where: 'drain',
        exit: 1,
        code,
        arrange: spoilt({ route: 'status', skip: 1, misbehave: { kind: 'end-task', state: 'FAILED' } }),
      },
      {
        name: 'application fails its task',
        where: 'capture',
        exit: 1,
        code,
        backupSeams: atPhase('capture', () => rig.instance.endTask('FAILED')),
      },
    ]);
  });

  test('is cancelled from its page', async context => {
    const name = 'application is cancelled from its page';
    const canceled = { name, exit: 1, code: 'APP_CANCELED' } as const;
    const cancel = () => rig.instance.endTask('CANCELED');
    const ends: Fault = { route: 'status', skip: 1, misbehave: { kind: 'end-task', state: 'CANCELED' } };
    await assertEndings(context, rig, [
      { ...canceled, where: 'drain', arrange: spoilt(ends) },
      { ...canceled, where: 'capture', backupSeams: atPhase('capture', cancel) },
      { ...canceled, where: 'fence', backupSeams: atPhase('fence', cancel) },
    ]);
  });

  test('restarts in the window', async context => {
    await assertEndings(
      context,
      rig,
      (['drain', 'capture', 'fence', 'unlock'] as const).map(where => ({
        name: 'application restarts in the window',
        where,
        exit: 1,
        code: where === 'drain' ? 'APP_REFUSED' : 'LATCH_LAPSED',
        backupSeams: atPhase(where, async () => {
          await rig.instance.restart();
          await setTimeout(50); // until the program has seen that its connections are gone
        }),
      })),
    );
  });

  test('refuses progress, and the backup is good all the same', async context => {
    await assertEndings(
      context,
      rig,
      [409, 500].map(status => ({
        name: 'application refuses progress',
        where: String(status),
        exit: 0,
        arrange: spoilt({ route: 'progress', misbehave: { kind: 'status', status } }),
      })),
    );
  });

  for (const [name, times] of [
    ['application refuses the unlock once', 1],
    ['application refuses the unlock three times', 3],
  ] as const) {
    test(`refuses the unlock, ${times} of 4 tries at most, and it is tried again`, async context => {
      const arrange = spoilt({ route: 'unlock', times, misbehave: { kind: 'status', status: 500 } });
      await assertEnding(context, rig, { name, exit: 0, arrange, backupSeams: patient });
    });
  }

  describe('refuses the unlock for good', () => {
    const name = 'application refuses the unlock for good';
    const refuse = (): Fault => ({ route: 'unlock', misbehave: { kind: 'status', status: 503 } });
    const forGood = { name, exit: 21, code: 'APP_STILL_LOCKED', left: 'lock' } as const;

    test('and lets go later: the sentinel, which outlives the program, unlocks', async context => {
      const where = 'unlocked by the sentinel';
      const ended = await assertEnding(context, rig, { ...forGood, where, arrange: spoilt(refuse()) });
      const { message, remedy } = errorOf(ended);
      assert.doesNotMatch(message, /Cannot.*Cannot/);
      const token = tokenOf(remedy);
      const told = ended.json.find(({ latch }) => latch === 'unlock');
      assert.equal(told?.['token'], token);
      assert.ok(remedy.includes(String(told?.['command'])), 'the call that was printed at the start');
    });

    test('and `unlock` releases it once it lets go', async context => {
      const where = 'unlocked by `unlock`';
      const unlock = async () => {
        const refused = await runOn(rig, { args: ['unlock'] });
        assert.deepEqual(failureOf(refused), { exit: 21, code: 'APP_STILL_LOCKED' });
        assert.equal(rig.instance.isLocked, true);
        rig.instance.faults.clear();
        const { code, json, stderr } = await runOn(rig, { args: ['unlock'] });
        assert.equal(code, 0, stderr);
        const { unlocked, lapsed } = json.at(-1) ?? {};
        assert.equal(Number(unlocked) + Number(lapsed), 1, 'it knew of one lock');
        assert.deepEqual([rig.instance.isLocked, recordsOf(rig)], [false, []]);
      };
      const arrange = () => {
        rig.instance.faults.add(refuse());
        return unlock;
      };
      await assertEnding(context, rig, { ...forGood, where, arrange });
    });

    test('and the printed command does it by hand, with the password', async context => {
      if (!existsSync(curl)) return context.skip('there is no curl');
      rig.instance.faults.add(refuse());
      const ended = await runOn(rig);
      const { remedy } = errorOf(ended);
      assert.deepEqual(failureOf(ended), { exit: 21, code: 'APP_STILL_LOCKED' });
      const [, sentinel] = /\(process (\d+) goes on trying\)/.exec(remedy) ?? [];
      process.kill(Number(sentinel), 'SIGKILL'); // it must not be the one that unlocks
      await until(() => !isAlive(Number(sentinel)), 'the sentinel is dead');
      rig.instance.faults.clear();
      const { user, password } = rig.instance.admin;
      const [command = ''] = /curl .*'(?= \(process)/.exec(remedy) ?? [];
      assert.equal(rig.instance.isLocked, true);
      const withPassword = command.replace(`-u '${user}'`, `-u '${user}:${password}'`);
      await promisify(execFile)('/bin/sh', ['-c', `${withPassword} --silent --fail`]);
      assert.equal(rig.instance.isLocked, false);
      await assertEnding(context, rig, { name, where: 'unlocked by the printed command', exit: 0 });
    });
  });
});

function tokenOf(remedy: string): string | undefined {
  return /token=([0-9a-f]+)/.exec(remedy)?.[1];
}
