import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Rig } from '../../../bench/rig/index.ts';
import { phases } from '../../../engine/index.ts';
import { type Seams, systemClock, systemSeams } from '../../../store/index.ts';
import { tellCase } from '../../helpers/cases.ts';
import { backUpHere, recordsOf, rigAtWork, runOn } from '../../helpers/endings.ts';
import { manifestsOf } from '../../helpers/small-rig.ts';

const dayMs = 86_400_000;

describe('a wall clock that is wrong', () => {
  let rig: Rig;

  before(async () => {
    rig = await rigAtWork();
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  /** The machine's wall clock, off by so much; the monotonic one is right. */
  function off(clock: { byMs: number }): Seams {
    return {
      randomness: systemSeams.randomness,
      clock: {
        ...systemClock,
        nowMs: () => systemClock.nowMs() + clock.byMs,
        nowNs: () => systemClock.nowNs() + BigInt(clock.byMs) * 1_000_000n,
      },
    };
  }

  async function latest(): Promise<unknown> {
    const { json, stderr, code } = await runOn(rig, { args: ['show', 'latest'] });
    assert.equal(code, 0, stderr);
    return json[0]?.['id'];
  }

  async function assertGood(clock: { byMs: number }, happens: (phase: string) => void = () => undefined) {
    const manifests = manifestsOf(rig);
    const { code, json, stderr } = await runOn(rig, {
      seams: off(clock),
      backupSeams: { onPhase: happens },
    });
    assert.equal(code, 0, stderr);
    const summary = json.at(-1)!;
    assert.equal(manifestsOf(rig).length, manifests.length + 1);
    assert.deepEqual([rig.instance.isLocked, recordsOf(rig)], [false, []]);
    assert.equal(await latest(), summary['snapshot'], 'the last one that was committed');
    const { heldMs, lockMs, drainMs, captureMs, unlockMs } = summary['latch'] as Record<string, number>;
    const durations = [summary['durationMs'] as number, heldMs, lockMs, drainMs, captureMs, unlockMs];
    for (const ms of durations) assert.ok(ms !== undefined && ms >= 0 && ms < 120_000, `${ms} ms`);
  }

  test('between runs, a day or ten years forth and back', async context => {
    for (const days of [1, -1, 3_650, -3_650]) await assertGood({ byMs: days * dayMs });
    await backUpHere(rig);
    tellCase(context, 'clock that jumps', 'exit 0 (between runs: 1 day and 10 years, forth and back)');
  });

  for (const days of [1, -1, 3_650, -3_650]) {
    test(`in every phase of a run, by ${days} days`, async context => {
      const clock = { byMs: 0 };
      let jumps = 0;
      await assertGood(clock, () => {
        jumps += 1;
        clock.byMs = jumps % 2 === 1 ? days * dayMs : 0;
      });
      assert.equal(jumps, phases.length);
      const listed = await runOn(rig, { args: ['snapshots'] });
      assert.equal((listed.json[0]!['snapshots'] as unknown[]).length, manifestsOf(rig).length);
      await backUpHere(rig);
      tellCase(context, 'clock that jumps', `exit 0 (in every phase: ${days} days)`);
    });
  }

  test('before 1970 is warned of, and the snapshot says 1970', async context => {
    const seams = off({ byMs: -systemClock.nowMs() - 10 * dayMs });
    const { code, stderr, json } = await runOn(rig, { seams });
    assert.equal(code, 0, stderr);
    const warnings = json.filter(({ messageType }) => messageType === 'warning');
    assert.match(String(warnings.at(-1)?.['message']), /clock/);
    const shown = await runOn(rig, { seams, args: ['show', 'latest'] });
    assert.match(String(shown.json[0]?.['time']), /^1970-01-01T00:00:00/);
    const pruned = await runOn(rig, { seams, args: ['prune', '--keep-last', '4'] });
    assert.equal(pruned.code, 0, pruned.stderr);
    await backUpHere(rig);
    tellCase(context, 'clock before 1970', 'exit 0, with a warning');
  });

  test('nothing of it is damaged', async () => {
    const verified = await runOn(rig, { args: ['verify', '--read-data'] });
    assert.equal(verified.code, 0, verified.stderr + verified.stdout);
    assert.deepEqual(verified.json.at(-1)?.['ok'], true);
  });
});
