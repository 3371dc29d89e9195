import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addCounts } from './results.ts';
import { Tally, together, toldOf } from './tally.ts';

test('what processes count of a figure beside each other is one figure', () => {
  const [one, other] = [new Tally('kills'), new Tally('kills')];
  one.add('backup');
  one.add('prune', 'seed 1: lost');
  one.note('not met again');
  one.sawSeed(3);
  other.add('backup');
  other.sawSeed(4);
  const both = together([one.counted(), other.counted()]);
  assert.deepEqual([both.points, both.wrong, both.lastSeed], [3, ['prune: seed 1: lost'], 4]);
  assert.equal(toldOf(both), '2 backup, 1 prune; 1 not met again');
});

test('a later run is added to what a row tells, and what is no count is told once', () => {
  assert.equal(
    addCounts(
      '2 backup, 1,001 prune; 3 ended well; calls: backup 118, prune 2',
      '4 prune, 1 hold; 2 ended well; calls: backup 118, prune 2',
    ),
    '2 backup, 1005 prune, 1 hold; 5 ended well; calls: backup 118, prune 2',
  );
});
