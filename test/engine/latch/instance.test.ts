import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { bitbucket, type LatchedApplication } from '../../../engine/app/index.ts';
import { type LatchWindow, withLatch } from '../../../engine/latch/index.ts';
import { systemClock } from '../../../store/index.ts';
import { call, latch, unlock, withInstance } from '../../bench/with-instance.ts';

const { instance } = withInstance({ writer: { perSecond: 40 } });
const stateDir = await mkdtemp(path.join(tmpdir(), 'latch-'));
const open: LatchedApplication[] = [];
after(async () => {
  for (const app of open) await app.close();
  await rm(stateDir, { recursive: true });
});

function client(): LatchedApplication {
  const { url, admin } = instance();
  const app = bitbucket({ type: 'bitbucket', url, ...admin });
  open.push(app);
  return app;
}

function hold(body: (window: LatchWindow) => Promise<unknown>): ReturnType<typeof withLatch> {
  return withLatch(
    {
      app: client(),
      stateDir,
      instance: 'instance',
      drainTimeoutMs: 5_000,
      maxHoldMs: 20_000,
      clock: systemClock,
    },
    body,
  );
}

async function assertFree(): Promise<void> {
  assert.equal(instance().isLocked, false);
  assert.deepEqual(await readdir(path.join(stateDir, 'latches')), []);
  assert.equal((await call(instance(), 'GET', '/')).status, 200);
}

test("holds a working instance, and agrees with the instance's clock about how long", async context => {
  for (let run = 0; run < 3; run += 1) {
    const { fence } = await hold(async () => {
      assert.ok(instance().isLocked);
      await assert.rejects(
        instance().push({ repositoryId: instance().repositoryIds[0]!, ref: 'refs/heads/x' }),
      );
    });
    const { locked, drained, unlocked, progress, end } = instance().latches.at(-1)!;
    assert.equal(end, 'unlocked');
    assert.equal(progress.at(-1)?.percentage, 100);
    assert.ok(drained && unlocked);
    const drainedMs = unlocked.monotonicMs - drained.monotonicMs;
    const heldMs = unlocked.monotonicMs - locked.monotonicMs;
    assert.ok(heldMs <= fence.heldMs, 'what we report is never less');
    context.diagnostic(
      `held ${heldMs.toFixed(1)} ms (we say ${fence.heldMs.toFixed(1)}), from drained to unlocked ${drainedMs.toFixed(1)}`,
    );
    await assertFree();
  }
});

test('finds the lock of somebody else, and leaves it', async () => {
  const { unlockToken } = await latch(instance());
  await assert.rejects(
    hold(async () => assert.fail('not locked by us')),
    { code: 'APP_LOCKED' },
  );
  assert.ok(instance().isLocked);
  await unlock(instance(), unlockToken);
  await assertFree();
});

test('a restart in the window is a lapse, and leaves no lock', async () => {
  await assert.rejects(
    hold(() => instance().restart({ downMs: 300 })),
    { code: 'LATCH_LAPSED' },
  );
  await assertFree();
});

test('a drain that does not end, and a cancel from the page, are unlocked', async () => {
  const takeBack = instance().faults.add({
    route: 'backup',
    misbehave: { kind: 'hold-drain', ms: 800 },
    times: 1,
  });
  const slow = withLatch(
    { app: client(), stateDir, instance: 'i', drainTimeoutMs: 300, maxHoldMs: 20_000, clock: systemClock },
    async () => assert.fail('not drained'),
  );
  await assert.rejects(slow, { code: 'APP_NOT_DRAINED' });
  takeBack();
  await assertFree();
  const canceled = hold(window => {
    instance().endTask('CANCELED');
    return new Promise((_, reject) => window.signal.addEventListener('abort', reject));
  });
  await assert.rejects(canceled, { code: 'APP_CANCELED' });
  await assertFree();
});
