import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type CommandAccess, commandApplication } from '../../../engine/app/index.ts';
import type { CommandRecord } from '../../../engine/command/index.ts';
import {
  type FenceRecord,
  type LatchOptions,
  type LatchToken,
  type LatchWindow,
  releaseLatches,
  withLatch,
} from '../../../engine/latch/index.ts';
import { readRecord } from '../../../engine/latch/record.ts';
import { systemSeams } from '../../../store/index.ts';
import { MaintenanceScript } from '../../helpers/maintenance-script.ts';
import { scratchFolder } from '../../helpers/scratch.ts';
import { until } from '../../helpers/small-rig.ts';
import { fastClock } from './harness.ts';

const { clock } = systemSeams;

/** An application that a script locks, and runs of a latch on it with a real sentinel. */
class CommandBench implements Disposable {
  readonly #scratch = scratchFolder();
  readonly script = new MaintenanceScript(join(this.#scratch.path, 'bin'));
  readonly stateDir = join(this.#scratch.path, 'state');
  readonly records: CommandRecord[] = [];
  readonly tokens: LatchToken[] = [];

  app(overrides: Partial<CommandAccess> = {}, seams = systemSeams) {
    const command = (call: string, timeoutMs = 5_000) => ({
      run: `./maintenance ${call}`,
      timeoutMs,
      name: null,
    });
    return commandApplication(
      {
        type: 'command',
        instance: 'the wiki',
        home: '/srv/wiki',
        folder: join(this.#scratch.path, 'bin'),
        env: { PATH: process.env['PATH'] ?? '', COLOUR: 'blue' },
        lock: command('lock'),
        wait: command('wait'),
        check: command('check'),
        unlock: command('unlock'),
        ...overrides,
      },
      seams,
    );
  }

  async run(
    body: (window: LatchWindow) => Promise<unknown> = async () => undefined,
    options: Partial<LatchOptions> = {},
  ): Promise<{ code?: string; error?: Error & { remedy?: string }; fence?: FenceRecord }> {
    try {
      const { fence } = await withLatch(
        {
          app: this.app(),
          stateDir: this.stateDir,
          instance: 'the wiki',
          drainTimeoutMs: 5_000,
          maxHoldMs: 20_000,
          clock,
          patience: { unlockMs: 300, sentinelMs: 10_000 },
          onCommand: record => this.records.push(record),
          onToken: token => this.tokens.push(token),
          ...options,
        },
        body,
      );
      return { fence };
    } catch (error) {
      return { code: String((error as { code?: unknown }).code), error: error as Error };
    }
  }

  release({ patienceMs = 10_000 } = {}): ReturnType<typeof releaseLatches> {
    const { stateDir } = this;
    return releaseLatches({ stateDir, instance: 'the wiki', app: this.app(), clock, patienceMs });
  }

  latchRecords(): string[] {
    return readdirSync(join(this.stateDir, 'latches')).filter(name => !name.startsWith('.tmp-'));
  }

  assertFree(): void {
    assert.equal(this.script.token, undefined, 'unlocked');
    assert.deepEqual(this.latchRecords(), []);
  }

  [Symbol.dispose](): void {
    this.#scratch[Symbol.dispose]();
  }
}

/** Processes that have the text in their environment. */
function processesWith(text: string): string[] {
  return readdirSync('/proc').filter(name => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/environ`, 'latin1').includes(text);
    } catch {
      return false; // it has ended, or is another user's
    }
  });
}

describe('a latch by commands', { concurrency: 2 }, () => {
  test('locks, waits, checks and unlocks in this order, with one token, and records each command once', async () => {
    using bench = new CommandBench();
    const { script } = bench;
    const { fence, error } = await bench.run(async () => assert.ok(script.token));
    assert.ok(fence, error?.message);
    assert.deepEqual([fence.kind, fence.taskId, fence.application.type], ['command', null, 'command']);
    const sum = fence.lockMs + fence.drainMs + fence.captureMs + fence.unlockMs;
    assert.ok(fence.lockMs > 0 && Math.abs(sum - fence.heldMs) < 1e-6);
    const moments = ['lock', 'wait', 'check', 'unlock'];
    assert.deepEqual(script.moments, moments);
    const token = script.calls[0]?.[1];
    assert.match(token ?? '', /^[0-9a-f]{32}$/);
    for (const [index, moment] of moments.entries()) {
      assert.deepEqual(script.calls[index]?.slice(1), [token, moment, 'the', 'wiki', '/srv/wiki']);
    }
    assert.deepEqual(
      bench.records.map(({ moment, output }) => [moment, output]),
      [
        ['lock', ''],
        ['wait', 'at rest'],
        ['check', ''],
        ['unlock', ''],
      ],
    );
    assert.ok(bench.records.every(({ durationMs }) => durationMs > 0));
    bench.assertFree();
  });

  test('writes the token down before the lock command runs', async () => {
    using bench = new CommandBench();
    let noted: string | null | undefined;
    const onPhase = async (phase: string) => {
      if (phase !== 'lock') return;
      const [name] = bench.latchRecords();
      noted = (await readRecord(join(bench.stateDir, 'latches', name ?? '')))?.token;
    };
    await bench.run(undefined, { onPhase });
    assert.equal(noted, bench.script.calls[0]?.[1]);
  });

  test('takes the last line that the lock command prints for the token from then on, durably', async () => {
    using bench = new CommandBench();
    bench.script.misbehave({ lock: 'echo "theirs 1" > "$F/locked"; echo started; echo "theirs 1"; exit 0' });
    let noted: string | null | undefined;
    const { error } = await bench.run(async () => {
      const [name] = bench.latchRecords().filter(file => file.endsWith('.json'));
      noted = (await readRecord(join(bench.stateDir, 'latches', name ?? '')))?.token;
    });
    assert.equal(error, undefined);
    assert.equal(noted, 'theirs 1');
    assert.equal(bench.tokens[0]?.token, 'theirs 1');
    assert.deepEqual(bench.script.calls.at(-1)?.slice(0, 3), ['unlock', 'theirs', '1']);
    bench.assertFree();
  });

  test('gives commands that the sentinel runs the environment of the program', async () => {
    using bench = new CommandBench();
    const secrets = ['STILLPOINT_PASSPHRASE', 'STILLPOINT_NEW_PASSPHRASE'];
    for (const name of secrets) process.env[name] = 'pass phrase';
    try {
      await bench.run();
    } finally {
      for (const name of secrets) delete process.env[name];
    }
    for (const call of ['lock', 'unlock'] as const) {
      const environment = bench.script.environmentOf(call);
      assert.match(environment, /^COLOUR=blue$/m);
      assert.ok(!environment.includes('pass phrase'));
    }
  });

  test('needs neither a command to wait nor one to check', async () => {
    using bench = new CommandBench();
    const { fence } = await bench.run(undefined, { app: bench.app({ wait: null, check: null }) });
    assert.equal(fence?.kind, 'command');
    assert.deepEqual(bench.script.moments, ['lock', 'unlock']);
    bench.assertFree();
  });
});

describe('a lock command', { concurrency: 2 }, () => {
  test('that ends with 75 leaves the lock of somebody else alone', async () => {
    using bench = new CommandBench();
    bench.script.lockAs('somebody');
    const { code, error } = await bench.run();
    assert.equal(code, 'APP_LOCKED');
    assert.match(error?.message ?? '', /held by somebody/);
    assert.equal(bench.script.token, 'somebody');
    assert.deepEqual(bench.script.moments, ['lock']);
    assert.deepEqual(bench.latchRecords(), []);
  });

  test('that fails half-way is followed by the unlock command', async () => {
    using bench = new CommandBench();
    bench.script.misbehave({
      lock: 'echo "$STILLPOINT_UNLOCK_TOKEN" > "$F/locked"; echo no route >&2; exit 3',
    });
    const { code, error } = await bench.run();
    assert.equal(code, 'COMMAND_FAILED');
    assert.match(error?.message ?? '', /exit 3: no route/);
    assert.deepEqual(bench.script.moments, ['lock', 'unlock']);
    bench.assertFree();
  });

  test('that does not end is ended by its time-out, at the latest when maxHold passes', async () => {
    for (const [timeoutMs, maxHoldMs] of [
      [300, 20_000],
      [60_000, 300],
    ] as const) {
      using bench = new CommandBench();
      bench.script.misbehave({ lock: 'echo "$STILLPOINT_UNLOCK_TOKEN" > "$F/locked"; sleep 60' });
      const app = bench.app({ lock: { run: './maintenance lock', timeoutMs, name: null } });
      assert.equal((await bench.run(undefined, { app, maxHoldMs })).code, 'COMMAND_FAILED');
      bench.assertFree();
    }
  });

  test('whose lock cannot be given back ends with the command to do it by hand, and the sentinel goes on', async () => {
    using bench = new CommandBench();
    const { script } = bench;
    script.misbehave({ lock: 'echo "$STILLPOINT_UNLOCK_TOKEN" > "$F/locked"; exit 3', unlock: 'exit 4' });
    const { code, error } = await bench.run();
    assert.equal(code, 'APP_STILL_LOCKED');
    assert.ok(error?.remedy?.includes(`STILLPOINT_UNLOCK_TOKEN=${script.token}`));
    assert.equal(bench.latchRecords().length, 1);
    script.misbehave({});
    await until(() => script.token === undefined && bench.latchRecords().length === 0, 'unlocked');
  });

  test('that is under way when the run is interrupted is given back', async () => {
    using bench = new CommandBench();
    bench.script.misbehave({ lock: 'sleep 0.4' });
    const abort = new AbortController();
    void until(() => bench.script.calls.length > 0, 'called').then(() => abort.abort(new Error('stop')));
    const { error } = await bench.run(async () => assert.fail('not captured'), { signal: abort.signal });
    assert.equal(error?.message, 'stop');
    assert.deepEqual(bench.script.moments, ['lock', 'unlock']);
    bench.assertFree();
  });
});

describe('once a command has locked', { concurrency: 2 }, () => {
  const hurried = { run: './maintenance wait', timeoutMs: 200, name: null };
  for (const [what, misbehaviour, code] of [
    ['the wait command does not end in its time', 'sleep 60', 'APP_NOT_DRAINED'],
    ['the wait command fails', 'exit 1', 'COMMAND_FAILED'],
  ] as const) {
    test(`it is unlocked when ${what}`, async () => {
      using bench = new CommandBench();
      bench.script.misbehave({ wait: misbehaviour });
      const app = bench.app({ wait: hurried });
      const startMs = clock.monotonicMs();
      assert.equal((await bench.run(async () => assert.fail('not at rest'), { app })).code, code);
      const tookMs = clock.monotonicMs() - startMs;
      assert.ok(tookMs < 4_000, `people are not locked out while a command is ended (${tookMs} ms)`);
      bench.assertFree();
    });
  }

  test('a wait command that ignores that it should end is killed, with what it started, after the unlock', async () => {
    using bench = new CommandBench();
    const { script } = bench;
    script.misbehave({ wait: "trap '' TERM; sleep 60; sleep 60" });
    const long = (call: string) => ({ run: `./maintenance ${call}`, timeoutMs: 60_000, name: null });
    const commands = {
      lock: long('lock'),
      wait: { ...long('wait'), timeoutMs: 3_000 },
      unlock: long('unlock'),
    };
    const app = bench.app(commands, { ...systemSeams, clock: fastClock });
    const waiting = bench.run(undefined, { app, clock: fastClock, maxHoldMs: 200_000 });
    await until(() => script.moments.includes('unlock'), 'unlocked');
    const token = script.calls[0]?.[1] ?? '';
    assert.ok(processesWith(token).length > 0, 'people do not wait for its end');
    assert.equal((await waiting).code, 'APP_NOT_DRAINED');
    await until(() => processesWith(token).length === 0, 'killed');
    bench.assertFree();
  });

  test('the drain time-out bounds the wait command, too', async () => {
    using bench = new CommandBench();
    bench.script.misbehave({ wait: 'sleep 60' });
    assert.equal((await bench.run(undefined, { drainTimeoutMs: 200 })).code, 'APP_NOT_DRAINED');
    bench.assertFree();
  });

  test('the pair is discarded when the check command says that it is not held', async () => {
    using bench = new CommandBench();
    assert.equal((await bench.run(async () => bench.script.lockAs('somebody'))).code, 'APP_STILL_LOCKED');
    assert.equal(bench.script.token, 'somebody');
    bench.script.misbehave({ check: 'exit 1' });
    rmSync(join(bench.stateDir, '..', 'bin', 'locked'));
    await until(() => bench.latchRecords().length === 0, 'the sentinel finds that it is unlocked');
    assert.equal((await bench.run()).code, 'LATCH_LAPSED');
    bench.assertFree();
  });

  test('the window ends as soon as a look says that it is not held', async () => {
    using bench = new CommandBench();
    const { script } = bench;
    const waitForever = async (window: LatchWindow) => {
      script.misbehave({ check: 'exit 1' });
      await new Promise((_, reject) =>
        window.signal.addEventListener('abort', () => reject(window.signal.reason)),
      );
    };
    const { code } = await bench.run(waitForever, { clock: fastClock, maxHoldMs: 100_000 });
    assert.equal(code, 'LATCH_LAPSED');
    bench.assertFree();
  });

  test('a failing unlock command is run again', async () => {
    using bench = new CommandBench();
    bench.script.misbehave({ unlock: 'mkdir "$F/once" 2>/dev/null && exit 1' });
    const { fence } = await bench.run();
    assert.ok(fence);
    assert.deepEqual(bench.script.moments.slice(-2), ['unlock', 'unlock']);
    assert.equal(bench.records.filter(({ moment }) => moment === 'unlock').length, 1);
    bench.assertFree();
  });

  test('one that fails for good keeps the record, from which a later run releases it', async () => {
    using bench = new CommandBench();
    const { script } = bench;
    script.misbehave({ unlock: 'exit 9' });
    const patience = { unlockMs: 200, sentinelMs: 200 };
    const { code, error } = await bench.run(undefined, { patience });
    assert.equal(code, 'APP_STILL_LOCKED');
    assert.ok(error?.remedy?.includes(`STILLPOINT_UNLOCK_TOKEN=${script.token}`));
    const sentinel = /process (\d+) goes on trying/.exec(error?.remedy ?? '')?.[1];
    assert.ok(sentinel);
    await until(() => !existsSync(`/proc/${sentinel}`), 'the sentinel is out of patience, too');
    await assert.rejects(bench.release({ patienceMs: 200 }), { code: 'APP_STILL_LOCKED' });
    assert.equal(bench.latchRecords().length, 1);
    script.misbehave({});
    execFileSync('/bin/sh', ['-c', bench.tokens[0]?.command ?? ''], { env: {} });
    assert.equal(script.token, undefined, 'the command for a person unlocks');
    assert.deepEqual(script.calls.at(-1)?.slice(2), ['unlock', 'the', 'wiki', '/srv/wiki']);
    assert.deepEqual(await bench.release(), { unlocked: 1, lapsed: 0, unresolved: [] });
    bench.assertFree();
  });
});
