import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { type IsSame, isSame, type Stats } from '../../../../engine/home/index.ts';
import { bytePathOfText } from '../../../../engine/home/paths.ts';
import type { Look, State } from '../../../../engine/home/rows/states.ts';
import { statCalls } from '../../../../engine/home/system/stat.ts';
import { lookAt, marginOf, probeLook, watchClock } from '../../../../engine/home/walk/clocks.ts';
import { type Clock, systemClock, systemSeams } from '../../../../store/index.ts';
import { captureHome } from '../../../helpers/one-home.ts';
import { scratchFolder } from '../../../helpers/scratch.ts';

const ms = 1_000_000n;
const look: Look = { startedNs: 10_000n * ms, marginNs: 100n * ms };
const old: State = { size: 41, mtimeNs: 5_000n * ms, ctimeNs: 5_000n * ms, ino: 7n };

/** What rsync does: size and whole seconds. The engine must be better than this. */
const isSameToRsync: IsSame = (first, now) =>
  first.size === now.size && first.mtimeNs / 1_000_000_000n === now.mtimeNs / 1_000_000_000n;

test('a state is the same only when size, both times and inode are equal', () => {
  assert.equal(isSame(old, { ...old }, look), true);
  for (const change of [
    { size: 42 },
    { mtimeNs: old.mtimeNs + 1n },
    { ctimeNs: old.ctimeNs - 1n },
    { ino: 8n },
  ]) {
    assert.equal(isSame(old, { ...old, ...change }, look), false, JSON.stringify(Object.keys(change)));
  }
});

test('a state that was not clearly old when the look began proves nothing', () => {
  const limitNs = look.startedNs - look.marginNs;
  for (const field of ['mtimeNs', 'ctimeNs'] as const) {
    for (const [ns, wanted] of [
      [limitNs - 1n, true],
      [limitNs, false],
      [look.startedNs, false],
      [look.startedNs * 2n, false],
    ] as const) {
      const state = { ...old, [field]: ns };
      assert.equal(isSame(state, { ...state }, look), wanted);
    }
  }
});

test('the margin grows with the granularity that a probe’s time shows', () => {
  assert.equal(marginOf(1_600_000_000_123_456_789n), 20n * ms);
  assert.equal(marginOf(1_600_000_000_120_000_000n), 20n * ms);
  assert.equal(marginOf(1_600_000_001_000_000_000n), 4_000n * ms);
  assert.equal(marginOf(1_600_000_000_000_000_000n), 4_000n * ms);
});

test('no two writes that one rounded time cannot tell apart are taken for one', () => {
  // a writer, a look and a second write at any times: if isSame says yes, the second write was before the look
  fc.assert(
    fc.property(
      fc.constantFrom(1n, 10n * ms, 1_000n * ms),
      fc.bigInt(0n, 5_000n * ms),
      fc.bigInt(0n, 5_000n * ms),
      fc.bigInt(0n, 5_000n * ms),
      (granularityNs, firstWrite, scan, secondWrite) => {
        const rounded = (ns: bigint): bigint => ns - (ns % granularityNs);
        const at = 1_700_000_000_000n * ms;
        const [written, started, again] = [
          at + firstWrite,
          at + firstWrite + scan,
          at + firstWrite + scan + secondWrite,
        ];
        const state = (ns: bigint): State => ({
          size: 41,
          mtimeNs: rounded(ns),
          ctimeNs: rounded(ns),
          ino: 7n,
        });
        const seen: Look = { startedNs: rounded(started), marginNs: marginOf(rounded(started)) };
        return !isSame(state(written), state(again), seen);
      },
    ),
  );
});

test('a probe changes nothing in the folder, not even its times, and tells the file system’s clock', () => {
  using scratch = scratchFolder();
  const folder = statSync(scratch.path, { bigint: true });
  const before = systemClock.nowNs();
  const found = probeLook(bytePathOfText(scratch.path), {
    ...systemSeams,
    stat: statCalls({ libc: undefined }),
  });
  const tickNs = 20n * ms;
  assert.equal(found.startedNs > before - tickNs && found.startedNs < systemClock.nowNs() + tickNs, true);
  assert.deepEqual(readdirSync(scratch.path), []);
  assert.notEqual(found.marginNs, 2_000n * ms, 'the clock is the file system’s, not ours');
  const { mtimeNs, ctimeNs } = statSync(scratch.path, { bigint: true });
  assert.deepEqual([mtimeNs, ctimeNs], [folder.mtimeNs, folder.ctimeNs]);
});

test('where no probe can be made the wall clock serves with two seconds to spare', () => {
  const found = probeLook(bytePathOfText('/proc'), { ...systemSeams, stat: statCalls({ libc: undefined }) });
  assert.equal(found.marginNs, 2_000n * ms);
  const remote = probeLook(bytePathOfText('/proc'), {
    ...systemSeams,
    stat: statCalls({ libc: undefined }),
    remote: true,
  });
  assert.equal(remote.marginNs, 30_000n * ms, 'another machine’s clock may be further from ours');
});

test('a look is told by the monotonic clock, whatever the wall clock says meanwhile', () => {
  const first = { startedNs: 5n, marginNs: 1n, startedMonotonicMs: 700 };
  assert.equal(lookAt(first, 2_200).startedNs, 5n + 1_500n * ms);
  assert.equal(lookAt(first, 600).startedNs, 5n - 100n * ms, 'also as if it had begun before');
});

test('a wall clock that is set back is noticed; slewing, standing still for a moment and jumping ahead are not', () => {
  const clock = settableClock();
  const watch = watchClock(clock);
  for (const step of [0, 5_000, -4, 3_600_000]) {
    clock.pass(1_000);
    clock.set(step);
    watch.check();
    assert.equal(watch.wentBack, false, `${step}`);
  }
  clock.pass(100_000);
  clock.set(-100);
  watch.check();
  assert.equal(watch.wentBack, false, 'slewed by 1 in 1000');
  clock.pass(1_000);
  clock.set(-1_500);
  watch.check();
  assert.equal(watch.wentBack, true);
  clock.set(10_000);
  watch.check();
  assert.equal(watch.wentBack, true, 'once is for ever');
});

for (const [name, stepNs] of [
  ['10 ms', 10n * ms],
  ['1 s', 1_000n * ms],
] as const) {
  const statSeam = (_path: Buffer, stats: Stats): Stats => ({
    ...stats,
    mtimeNs: stats.mtimeNs - (stats.mtimeNs % stepNs),
    ctimeNs: stats.ctimeNs - (stats.ctimeNs % stepNs),
  });

  test(`a ref written twice within ${name} of file time is taken again; a test of size and seconds misses it`, async () => {
    for (const [isSameUsed, wanted] of [
      [isSame, '2'],
      [isSameToRsync, '1'],
    ] as const) {
      using scratch = scratchFolder();
      // two writes in place within one granule: same size, same inode, and rounded times that cannot tell them apart
      const ref = `${scratch.path}/refs/heads/main`;
      mkdirSync(`${scratch.path}/refs/heads`, { recursive: true });
      let text = '';
      for (let tries = 0; ; tries++) {
        assert(tries < 50, 'two writes never fell into one granule');
        writeFileSync(ref, '1'.repeat(41));
        const first = statSync(ref, { bigint: true });
        const captured = await captureHome(scratch.path, {
          statSeam,
          isSame: isSameUsed,
          beforeWindow: () => writeFileSync(ref, '2'.repeat(41)),
        });
        const second = statSync(ref, { bigint: true });
        text = await captured.text('refs/heads/main');
        if (first.ctimeNs / stepNs === second.ctimeNs / stepNs) break;
      }
      assert.equal(text, wanted.repeat(41));
    }
  });
}

test('a ref replaced by rename with the old one’s size and time is taken again', async () => {
  using scratch = scratchFolder();
  const ref = `${scratch.path}/main`;
  writeFileSync(ref, '1'.repeat(41));
  utimesSync(ref, 1_000, 1_000);
  const { text } = await captureHome(scratch.path, {
    beforeWindow: () => {
      writeFileSync(`${ref}.new`, '2'.repeat(41));
      utimesSync(`${ref}.new`, 1_000, 1_000);
      renameSync(`${ref}.new`, ref);
    },
  });
  assert.equal(await text('main'), '2'.repeat(41));
});

test('after a clock that went back nothing is trusted: every file is read again', async () => {
  using scratch = scratchFolder();
  for (const name of ['a', 'b', 'c']) writeFileSync(`${scratch.path}/${name}`, name);
  await systemClock.sleep(60);
  const clock = settableClock();
  const steady = await captureHome(scratch.path, { clock });
  assert.equal(steady.result.changedInLatch, 0);
  const { result, entries } = await captureHome(scratch.path, {
    clock,
    beforeWindow: () => clock.set(-3_600_000),
  });
  assert.equal(result.changedInLatch, 3);
  assert.equal(
    [...entries.values()].every(entry => entry.unsettled),
    true,
  );
});

/** The machine's monotonic clock; a wall clock that a test may set. */
function settableClock(): Clock & { set(byMs: number): void; pass(ms: number): void } {
  let offsetMs = 0;
  let passedMs = 0;
  const monotonicMs = (): number => systemClock.monotonicMs() + passedMs;
  const startedMs = systemClock.nowMs() - monotonicMs();
  const nowMs = (): number => Math.floor(startedMs + monotonicMs() + offsetMs);
  return {
    ...systemClock,
    monotonicMs,
    nowMs,
    nowNs: () => BigInt(nowMs()) * ms,
    set: byMs => {
      offsetMs += byMs;
    },
    pass: byMs => {
      passedMs += byMs;
    },
  };
}
