import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { checkPair } from '../../bench/instance/index.ts';
import { type Rig, runHere } from '../../bench/rig/index.ts';
import { MaintenanceScript } from '../helpers/maintenance-script.ts';
import { isAlive, sentinelOf } from '../helpers/processes.ts';
import {
  backUpAndStopAt,
  failureOf,
  manifestsOf,
  restoreInto,
  smallRig,
  until,
} from '../helpers/small-rig.ts';

const unlockMsMax = 5_000;

describe('an application that commands lock', { skip: process.platform !== 'linux' }, () => {
  let rig: Rig;
  let script: MaintenanceScript;
  let manifests: string[];
  const env = { STILLPOINT_CONFIG: '' };

  /** The rig's configuration with another application. */
  function configure(app: string, more = ''): string {
    const lines = readFileSync(rig.configFile, 'utf8').split('\n');
    const file = join(rig.folder, `by-commands-${app.length}-${more.length}.yaml`);
    writeFileSync(file, [...lines.filter(line => !line.startsWith('app:')), `app: ${app}`, more].join('\n'));
    return file;
  }

  const all =
    "lock: 'bin/it lock', wait: 'bin/it wait', check: 'bin/it check', unlock: 'bin/it unlock'".replaceAll(
      'bin/it',
      'bin/maintenance',
    );
  const here = (args: readonly string[], config = env.STILLPOINT_CONFIG) =>
    runHere(args, { env: { ...rig.env, STILLPOINT_CONFIG: config }, cwd: rig.folder });

  before(async () => {
    rig = await smallRig({ inProcess: true });
    script = new MaintenanceScript(join(rig.folder, 'bin'));
    env.STILLPOINT_CONFIG = configure(`{ type: command, ${all} }`);
    const first = await here(['backup', '--json']);
    assert.equal(first.code, 0, first.stderr);
  });
  beforeEach(() => {
    script.misbehave({});
    manifests = manifestsOf(rig);
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const assertDiscarded = () => {
    assert.equal(script.token, undefined, 'unlocked');
    assert.deepEqual(manifestsOf(rig), manifests);
  };
  const backUpAgain = async () => {
    const { code, stderr } = await here(['backup', '--json']);
    assert.equal(code, 0, stderr);
    assert.equal(manifestsOf(rig).length, manifests.length + 1);
    assert.equal(script.token, undefined, 'unlocked');
  };

  test('is backed up and restored, and the manifest says how it was held', async () => {
    const target = await restoreInto(rig, 'by_commands');
    const { disagreements } = await checkPair({ home: target.home, databaseUrl: target.databaseUrl });
    assert.deepEqual(disagreements, []);
    const [shown] = (await here(['show', 'latest', '--json'])).json;
    const fence = shown?.['fence'] as Record<string, unknown>;
    assert.equal(fence['kind'], 'command');
    assert.equal((fence['application'] as Record<string, unknown>)['type'], 'command');
    assert.match((await here(['show', 'latest'])).stdout, /^held .* by commands: lock /m);
    const [listed = {}] = (await here(['snapshots', '--json'])).json;
    assert.deepEqual(
      (listed['snapshots'] as { fence: string }[]).map(one => one.fence),
      ['command'],
    );
    assert.equal((await here(['verify'])).code, 0);
    assert.equal((await here(['doctor'])).code, 0);
  });

  test('is unlocked by the sentinel when the program is killed in the window', async () => {
    const program = await backUpAndStopAt(rig, 'capture', { env });
    const sentinel = sentinelOf(program.pid);
    assert.ok(sentinel && script.token);
    program.kill('SIGKILL');
    await until(() => script.token === undefined && !isAlive(sentinel), 'unlocked', unlockMsMax);
    assertDiscarded();
  });

  for (const call of ['lock', 'wait', 'unlock'] as const) {
    test(`is unlocked when the program is killed while the ${call} command runs`, async () => {
      script.misbehave({ [call]: 'sleep 0.4' });
      const before = script.calls.length;
      const program = rig.start(['backup', '--json'], { env });
      await until(() => script.moments.slice(before).includes(call), `${call} runs`);
      const sentinel = sentinelOf(program.pid);
      program.kill('SIGKILL');
      await until(() => sentinel === undefined || !isAlive(sentinel), 'the sentinel ends', unlockMsMax);
      assertDiscarded();
      assert.deepEqual(readdirSync(join(rig.stateDir, 'latches')), []);
    });
  }

  test('is not locked by a lock command that outlives its sentinel, nor one that outlives both', async () => {
    const sleepMs = 1_000;
    for (const isBoth of [false, true]) {
      script.misbehave({ lock: `sleep ${sleepMs / 1_000}` });
      const before = script.calls.length;
      const program = rig.start(['backup', '--json'], { env });
      await until(() => script.calls.length > before, 'the lock command runs');
      const sentinel = sentinelOf(program.pid);
      assert.ok(sentinel);
      if (isBoth) program.kill('SIGSTOP');
      process.kill(sentinel, 'SIGKILL');
      await until(() => !isAlive(sentinel), 'the sentinel is dead');
      if (isBoth) {
        program.kill('SIGKILL');
        await program.ended;
        assert.equal((await here(['unlock'])).code, 0);
      } else {
        assert.deepEqual(failureOf(await program.ended), { exit: 1, code: 'LATCH_LAPSED' });
      }
      await new Promise(resolve => setTimeout(resolve, sleepMs));
      assertDiscarded();
    }
  });

  test('is unlocked while the program is stopped when maxHold passes', async () => {
    const config = configure(`{ type: command, ${all} }`, 'latch: { maxHold: 2s }');
    const program = await backUpAndStopAt(rig, 'capture', { env: { STILLPOINT_CONFIG: config } });
    program.kill('SIGSTOP');
    await until(() => script.token === undefined, 'unlocked', 2_000 + unlockMsMax);
    program.tell('go on');
    program.kill('SIGCONT');
    assert.deepEqual(failureOf(await program.ended), { exit: 1, code: 'LATCH_OVERRUN' });
    assertDiscarded();
  });

  async function killBoth(): Promise<void> {
    const program = await backUpAndStopAt(rig, 'capture', { env });
    const sentinel = sentinelOf(program.pid);
    assert.ok(sentinel);
    program.kill('SIGSTOP'); // else the one that is killed last unlocks
    process.kill(sentinel, 'SIGKILL');
    await until(() => !isAlive(sentinel), 'the sentinel is dead');
    program.kill('SIGKILL');
    await program.ended;
    assert.ok(script.token, 'still locked');
  }

  test('stays locked when sentinel and program are killed, until `unlock` or the next backup releases it', async () => {
    await killBoth();
    const [unlocked] = (await here(['unlock', '--json'])).json;
    assert.equal(unlocked?.['unlocked'], 1);
    assertDiscarded();
    await killBoth();
    await backUpAgain();
  });

  test('that somebody else has locked is exit 11, or is waited for', async () => {
    script.lockAs('somebody');
    assert.deepEqual(failureOf(await here(['backup', '--json'])), { exit: 11, code: 'APP_LOCKED' });
    assert.equal(script.token, 'somebody');
    const before = script.calls.length;
    const waiting = here(['backup', '--json', '--wait', '20s']);
    await until(() => script.calls.length > before + 1, 'tried twice');
    script.misbehave({ lock: 'rm -f "$F/locked"' }); // whoever has it lets go
    assert.equal((await waiting).code, 0);
  });

  test('whose lock fails half-way is unlocked and exit 1; whose unlock fails, too, is exit 21', async () => {
    const lock = 'echo "$STILLPOINT_UNLOCK_TOKEN" > "$F/locked"; exit 1';
    script.misbehave({ lock });
    assert.deepEqual(failureOf(await here(['backup', '--json'])), { exit: 1, code: 'COMMAND_FAILED' });
    assertDiscarded();
    script.misbehave({ lock, unlock: 'exit 1' });
    const hasty = { lockMs: 200, unlockMs: 200, sentinelMs: 200 };
    const options = { env: { ...rig.env, ...env }, cwd: rig.folder, backupSeams: { patience: hasty } };
    const ended = await runHere(['backup', '--json'], options);
    assert.deepEqual(failureOf(ended), { exit: 21, code: 'APP_STILL_LOCKED' });
    assert.ok(ended.stderr.includes(`STILLPOINT_UNLOCK_TOKEN=${script.token}`));
    script.misbehave({});
    assert.equal((await here(['unlock'])).code, 0);
    assertDiscarded();
  });

  test('whose check fails before the end leaves no snapshot', async () => {
    script.misbehave({ check: 'exit 1' });
    assert.deepEqual(failureOf(await here(['backup', '--json'])), { exit: 1, code: 'LATCH_LAPSED' });
    assertDiscarded();
  });

  test('is refused before the lock when a command certainly cannot run', async () => {
    const before = script.calls.length;
    for (const unlock of ['bin/no-such-script off', 'no-such-program', 'if then']) {
      const config = configure(`{ type: command, lock: 'bin/maintenance lock', unlock: '${unlock}' }`);
      assert.deepEqual(failureOf(await here(['backup', '--json'], config)), {
        exit: 2,
        code: 'CONFIG_INVALID',
      });
    }
    assert.equal(script.calls.length, before);
  });

  test('is refused with half of its commands, and another type with any, or with what it has no use for', async () => {
    for (const app of [
      "{ type: command, lock: 'true' }",
      "{ type: command, unlock: 'true' }",
      `{ type: command, ${all}, url: 'http://127.0.0.1:1' }`,
      `{ url: 'http://127.0.0.1:1', user: admin, password: x, unlock: 'true' }`,
      '{ type: stopped, user: admin }',
      "{ type: none, check: 'true' }",
    ]) {
      const ended = await here(['backup', '--json'], configure(app));
      assert.deepEqual(failureOf(ended), { exit: 2, code: 'CONFIG_INVALID' }, app);
    }
    assertDiscarded();
  });
});
