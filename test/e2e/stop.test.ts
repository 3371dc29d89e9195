import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import type { Rig } from '../../bench/rig/index.ts';
import type { Phase } from '../../engine/index.ts';
import { isAlive, sentinelOf } from '../helpers/processes.ts';
import {
  backUpAndRaise,
  backUpAndStopAt,
  backUpOnce,
  failureOf,
  manifestsOf,
  smallRig,
  snapshotIds,
  until,
} from '../helpers/small-rig.ts';

const maxHoldMs = 3_000;
/** What the bounds below leave for a machine with much else to do. */
const slackMs = 5_000;

describe('a backup that does not come to its end', { skip: process.platform !== 'linux' }, () => {
  let rig: Rig;
  let impatient: Record<string, string>;
  let manifests: string[];

  before(async () => {
    rig = await smallRig({ writer: { perSecond: 8, pushesPerSecond: 0, repackEveryMs: 0 }, inProcess: true });
    await rig.summary(['backup', '--json']);
    manifests = manifestsOf(rig);
    const file = join(rig.folder, 'impatient.yaml');
    const latch = `latch: { maxHold: ${maxHoldMs / 1000}s }\n`;
    writeFileSync(file, `${readFileSync(rig.configFile, 'utf8')}\n${latch}`);
    impatient = { STILLPOINT_CONFIG: file };
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const lastLatch = () => {
    const latch = rig.instance.latches.at(-1);
    assert.ok(latch?.unlocked, 'it was unlocked');
    return { lockedMs: latch.locked.monotonicMs, unlockedMs: latch.unlocked.monotonicMs };
  };

  const assertDiscarded = () => {
    assert.equal(rig.instance.isLocked, false);
    assert.deepEqual(manifestsOf(rig), manifests);
  };

  test('unlocks when it hangs in the window until its budget passes', async () => {
    const program = await backUpAndStopAt(rig, 'capture', { env: impatient });
    assert.deepEqual(failureOf(await program.ended), { exit: 1, code: 'LATCH_OVERRUN' });
    assertDiscarded();
    const { lockedMs, unlockedMs } = lastLatch();
    assert.ok(unlockedMs - lockedMs <= maxHoldMs + slackMs);
  });

  test('loses the lock while it is stopped when maxHold passes, and fails when it goes on', async context => {
    const program = await backUpAndStopAt(rig, 'capture', { env: impatient });
    program.kill('SIGSTOP');
    await until(() => !rig.instance.isLocked, 'unlocked');
    const heldMs = lastLatch().unlockedMs - lastLatch().lockedMs;
    context.diagnostic(`stopped in the window: held for ${heldMs.toFixed(0)} ms, maxHold is ${maxHoldMs} ms`);
    assert.ok(heldMs <= maxHoldMs + slackMs);
    program.tell('go on');
    program.kill('SIGCONT');
    assert.deepEqual(failureOf(await program.ended), { exit: 1, code: 'LATCH_OVERRUN' });
    assertDiscarded();
  });

  test('unlocks and discards the pair when its sentinel is killed', async context => {
    const program = await backUpAndStopAt(rig, 'capture');
    const sentinel = sentinelOf(program.pid);
    assert.ok(sentinel);
    const killedMs = rig.instance.nowMs();
    process.kill(sentinel, 'SIGKILL');
    assert.deepEqual(failureOf(await program.ended), { exit: 1, code: 'LATCH_LAPSED' });
    assertDiscarded();
    const tookMs = lastLatch().unlockedMs - killedMs;
    context.diagnostic(`sentinel killed: unlocked after ${tookMs.toFixed(0)} ms`);
    assert.ok(tookMs <= slackMs);
  });

  /** The one that is killed last would unlock, so the program is stopped first. */
  async function killBothAt(phase: Phase): Promise<void> {
    const program = await backUpAndStopAt(rig, phase);
    const sentinel = sentinelOf(program.pid);
    assert.ok(sentinel);
    program.kill('SIGSTOP');
    process.kill(sentinel, 'SIGKILL');
    await until(() => !isAlive(sentinel), 'the sentinel is dead');
    program.kill('SIGKILL');
    await program.ended;
    assert.equal(rig.instance.isLocked, true);
    assert.deepEqual(manifestsOf(rig), manifests);
  }

  test('stays locked when sentinel and program are killed, until `unlock` releases it', async () => {
    await killBothAt('capture');
    const { unlocked } = await rig.summary(['unlock', '--json']);
    assert.equal(unlocked, 1);
    assertDiscarded();
    await backUpOnce(rig, manifests);
    manifests = manifestsOf(rig);
  });

  test('stays locked when sentinel and program are killed, until the next backup releases it', async () => {
    await killBothAt('drain');
    await backUpOnce(rig, manifests);
    manifests = manifestsOf(rig);
  });

  const mishaps: readonly [what: string, code: string, happen: () => void | Promise<void>][] = [
    ['somebody ends it in the application', 'APP_CANCELED', () => rig.instance.endTask('CANCELED')],
    ['the application restarts', 'LATCH_LAPSED', () => rig.instance.restart()],
    ['the database server ends its connections', 'LATCH_LAPSED', () => endConnections(rig)],
  ];
  for (const [what, code, happen] of mishaps) {
    test(`discards the pair when ${what} before the fence`, async () => {
      const program = await backUpAndStopAt(rig, 'fence');
      await happen();
      program.tell('go on');
      assert.deepEqual(failureOf(await program.ended), { exit: 1, code });
      assertDiscarded();
    });
  }

  // As a process; test/e2e/endings/signals.test.ts has every signal in every phase.
  for (const [signal, code, exit, phase] of [
    ['SIGTERM', 'TERMINATED', 143, 'lock'],
    ['SIGINT', 'INTERRUPTED', 130, 'commit'],
  ] as const) {
    test(`leaves no snapshot and no lock on ${signal} in phase ${phase}, and ends with ${exit}`, async () => {
      assert.deepEqual(failureOf(await backUpAndRaise(rig, signal, phase)), { exit, code });
      assertDiscarded();
    });
  }

  test('unlocks on SIGINT while it hangs in the window, and ends with 130', async () => {
    const program = await backUpAndStopAt(rig, 'capture');
    program.kill('SIGINT');
    assert.deepEqual(failureOf(await program.ended), { exit: 130, code: 'INTERRUPTED' });
    assertDiscarded();
  });

  test('leaves nothing behind', async () => {
    await backUpOnce(rig, manifests);
    const verified = await rig.summary(['verify', '--json']);
    assert.deepEqual([verified['ok'], verified['snapshots']], [true, (await snapshotIds(rig)).length]);
    // A process that is killed while it writes leaves its temporary file.
    const isRecord = (name: string) => !name.startsWith('.tmp-');
    assert.deepEqual(readdirSync(join(rig.stateDir, 'latches')).filter(isRecord), []);
    assert.deepEqual(readdirSync(join(rig.stateDir, 'runs')), []);
  });
});

async function endConnections(rig: Rig): Promise<void> {
  const client = new pg.Client({ connectionString: rig.instance.databaseUrl });
  await client.connect();
  try {
    const { rowCount } = await client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE application_name LIKE 'stillpoint%' AND datname = current_database()`,
    );
    assert.ok(rowCount);
  } finally {
    await client.end();
  }
}
