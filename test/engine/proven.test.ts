import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Snapshot } from '../../engine/pair.ts';
import { type JudgeOptions, judgeInstance } from '../../engine/proven.ts';
import type { SnapshotId } from '../../store/index.ts';
import { goldenPair, somePair } from '../helpers/pairs.ts';

const hour = 3_600_000;
const nowMs = Date.parse('2026-06-01T12:00:00Z');

/** A snapshot so many hours ago. */
function ago(hours: number, kind: Snapshot['fence']['kind'] = 'latched', configuration = '{}'): Snapshot {
  const id = String(hours + 500).padEnd(64, '0') as SnapshotId;
  const fence = { ...somePair.fence, kind };
  return { ...somePair, id, host: 'here', sequence: 1, timeMs: nowMs - hours * hour, fence, configuration };
}

const bitbucket = JSON.stringify({ app: { type: 'bitbucket' } });

const judged = (snapshots: readonly Snapshot[], options: Partial<JudgeOptions> = {}) => {
  const { newest, newestProven, ageMs, overdue, warnings } = judgeInstance('a', snapshots, {
    ...{ nowMs, maxAgeMs: 26 * hour, ...options },
  });
  const idOf = (one: Snapshot | null) => snapshots.findIndex(snapshot => snapshot.id === one?.id);
  const hours = ageMs === null ? null : ageMs / hour;
  return { newest: idOf(newest), proven: idOf(newestProven), hours, overdue, warnings: warnings.length };
};

test('the newest pair counts, and is overdue once it is older than the limit', () => {
  const fresh = { newest: 1, proven: 1, hours: 2, overdue: false, warnings: 0 };
  assert.deepEqual(judged([ago(30), ago(2)]), fresh);
  assert.deepEqual(judged([ago(30), ago(27)]), { ...fresh, hours: 27, overdue: true });
  assert.deepEqual(judged([ago(30), ago(26)]), { ...fresh, hours: 26 });
  assert.equal(judged([ago(300)], { maxAgeMs: undefined }).overdue, null);
});

test('what was found damaged is no pair to count on, and is told', () => {
  const [old, fresh] = [ago(30), ago(2)];
  const isDamaged = ({ id }: Snapshot) => id === fresh.id;
  const found = judged([old, fresh], { isDamaged });
  assert.deepEqual(found, { newest: 1, proven: 0, hours: 30, overdue: true, warnings: 1 });
});

test('without any there is nothing that could be young enough', () => {
  assert.deepEqual(judged([]), { newest: -1, proven: -1, hours: null, overdue: true, warnings: 0 });
});

test('a pair that nothing held together counts only where nothing better is to be had', () => {
  const unproven = { newest: 1, proven: 0, hours: 30, overdue: true, warnings: 0 };
  assert.deepEqual(judged([ago(30), ago(2, 'none', bitbucket)]), unproven);
  assert.deepEqual(judged([ago(30), ago(2, 'none')]), { ...unproven, proven: 1, hours: 2, overdue: false });
  // what is configured now counts, not what was configured then
  assert.equal(judged([ago(2, 'none')], { isUnlatched: false }).proven, -1);
  assert.equal(judged([ago(2, 'none', bitbucket)], { isUnlatched: true }).proven, 0);
  assert.equal(judged([ago(2, 'none', 'no JSON')]).proven, -1);
  for (const kind of ['command', 'stopped'] as const) assert.equal(judged([ago(2, kind)]).overdue, false);
});

test('a pair that lacks unreadable sources is a pair', () => {
  const home = { ...goldenPair.home!, unreadable: ['a file'] };
  assert.equal(judged([{ ...ago(2), home }]).overdue, false);
});

test('a pair from the future is no proof that there is a young one', () => {
  const future = judged([ago(30), ago(-48)]);
  assert.deepEqual(future, { newest: 1, proven: 0, hours: 30, overdue: true, warnings: 1 });
  assert.deepEqual(judged([ago(-48)]), { newest: 0, proven: -1, hours: null, overdue: true, warnings: 1 });
  // clocks that differ a little are no matter
  assert.deepEqual(judged([ago(-0.5)]), { newest: 0, proven: 0, hours: 0, overdue: false, warnings: 0 });
});

test('no pair is younger than what was committed after it', () => {
  const ahead = [ago(30), ago(1), ago(40, 'none', bitbucket)];
  assert.deepEqual(judged(ahead), { newest: 2, proven: 1, hours: 40, overdue: true, warnings: 1 });
});

test('a clock that went back, or is behind, is said to be so, in one sentence', () => {
  const month = 30 * 24;
  // The newest was made while the clock stood a month back: it counts as that old, and that may not be so.
  const back = judged([ago(30), ago(26), ago(month)]);
  assert.deepEqual(back, { newest: 2, proven: 2, hours: month, overdue: true, warnings: 1 });
  assert.equal(judged([ago(30), ago(month), ago(2)]).warnings, 0, 'the next backup ends the doubt');
  // This machine's clock stands a month back: all are from the future.
  const all = [ago(-2), ago(-24), ago(-month)];
  const { warnings, ageMs } = judgeInstance('a', all, { nowMs, maxAgeMs: hour * 26 });
  assert.deepEqual([warnings.length, ageMs], [1, null]);
  assert.match(warnings[0]!, /this machine/);
});
