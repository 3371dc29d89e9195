import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mutants } from '../mutants/all.ts';
import { play } from './play.ts';

/** A night run sets more (npm run simulate); each failure names its seed. */
const schedules = Number(process.env['STILLPOINT_SCHEDULES'] ?? 100);
const firstSeed = Number(process.env['STILLPOINT_SEED'] ?? 1);

test('whatever three writers, two prunes, a reader and a forgetter do beside each other, nothing committed is lost', async () => {
  const { losses, others, kills, ...tally } = await play({ firstSeed, schedules });
  assert.deepEqual([...losses, ...others], []);
  // Else they would have shown nothing.
  if (schedules < 100) return;
  assert.ok(tally.overlapped > 0 && tally.sweeps > 0 && Object.keys(kills).length > 5);
  assert.ok(tally.vetoes > 0 && tally.roundsAfterVeto > 0, 'prunes go on after a veto');
  // And those who live go on: nearly every backup that nothing befalls commits, whoever prunes beside it.
  assert.ok(tally.livingCommits > 0.9 * tally.living, JSON.stringify(tally));
});

/** Some of test/mutants/, each with the first seed that catches it; `npm run mutants` seeks it for all. */
const quick: Readonly<Record<string, number>> = {
  'no second look': 7,
  'no intent': 1,
  'sweep not exclusive': 112,
  'no second decision': 1,
};

for (const [name, seed] of Object.entries(quick))
  test(`the schedules catch: ${mutants.find(mutant => mutant.name === name)?.breaks}`, async () => {
    const { losses } = await play({ mutant: name, firstSeed: seed, schedules: 400, isUntilLoss: true });
    assert.equal(losses.length, 1);
  });
