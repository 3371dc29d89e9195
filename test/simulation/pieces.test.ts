import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratchFolder } from '../helpers/scratch.ts';
import { KeptPieces } from './pieces.ts';
import { emptyTally } from './tally.ts';

const played = (firstSeed: number, schedules: number) => ({
  piece: { firstSeed, schedules },
  tally: { ...emptyTally(), schedules },
});

test('a long run adds up what it played before it was killed, each seed once, and names the seeds', () => {
  using folder = scratchFolder();
  const file = join(folder.path, 'tally');
  const first = new KeptPieces(file);
  first.add(played(1, 99), 10);
  first.add(played(200, 100), 10);
  appendFileSync(file, '{"piece":{"firstSeed":300,"sched'); // killed in the middle of a line
  const second = new KeptPieces(file);
  assert.ok(
    second.has({ firstSeed: 200, schedules: 100 }) && !second.has({ firstSeed: 300, schedules: 100 }),
  );
  assert.equal(second.seeds, '1–99, 200–299');
  second.add(played(100, 100), 10);
  second.add(played(150, 10), 10); // seeds that are there
  second.add(played(200, 100), 10);
  second.add(played(300, 10), 10);
  second.add(played(300, 50), 10); // a longer piece, which has the shorter one's
  const third = new KeptPieces(file);
  assert.equal(third.seeds, '1–349');
  assert.equal(
    third.all.reduce((sum, { tally }) => sum + tally.schedules, 0),
    349,
  );
});

test('what other code played does not count', () => {
  using folder = scratchFolder();
  const file = join(folder.path, 'tally');
  new KeptPieces(file).add(played(1, 99), 10);
  writeFileSync(file, readFileSync(file, 'utf8').replace(/"code":"./, '"code":"x'));
  assert.deepEqual(new KeptPieces(file).all, []);
});
