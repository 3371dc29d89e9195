import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkPair, readAcknowledged } from '../../bench/instance/index.ts';
import { latch, unlock, withInstance } from './with-instance.ts';

const scratch = mkdtempSync(join(tmpdir(), 'stillpoint-test-'));
const log = join(scratch, 'acknowledged');
const { instance: it } = withInstance({ acknowledgements: log });

test('the writer pushes, twice in a second too, repacks, stops while locked, goes on, and the pair agrees', async t => {
  const instance = it();
  const begun = instance.nowMs();
  instance.startWriter({ perSecond: 60, pushesPerSecond: 2, repackEveryMs: 400, twiceShare: 0.3 });
  const enough = () => {
    const { accepted, twiceInASecond, realPushes, repacks, created, deleted } = instance.counts!;
    return accepted > 60 && Math.min(twiceInASecond, realPushes, repacks, created, deleted) > 0;
  };
  while (!enough()) await sleep(20);
  const rate = (instance.acknowledged.length / (instance.nowMs() - begun)) * 1000;
  t.diagnostic(`${rate.toFixed(1)} writes a second of 60 asked for`);

  const { unlockToken } = await latch(instance);
  while (instance.latches.at(-1)!.drained === null) await sleep(5);
  const atRest = instance.acknowledged.length;
  await sleep(150);
  assert.equal(instance.acknowledged.length, atRest);
  assert.ok(instance.counts!.refused > 0);
  const inLatch = await checkPair({
    home: instance.home,
    databaseUrl: instance.databaseUrl,
    fsck: 'connectivity',
  });
  assert.deepEqual(inLatch.disagreements, []);
  await unlock(instance, unlockToken);
  while (instance.acknowledged.length < atRest + 20) await sleep(20);

  const counts = await instance.stopWriter();
  assert.deepEqual([counts?.failed, counts?.lastFailure], [0, null]);
  const report = await checkPair({ home: instance.home, databaseUrl: instance.databaseUrl, fsck: 'full' });
  assert.deepEqual(report.disagreements, []);
  assert.deepEqual(readAcknowledged(log), instance.acknowledged);
  rmSync(scratch, { recursive: true });
});
