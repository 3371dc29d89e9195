import assert from 'node:assert/strict';
import { test } from 'node:test';
import { suites } from './suites.ts';

/** A little of each suite; `npm run faults` does them whole. Other runs try other points. */
const points: Readonly<Record<string, number>> = {
  kill: 10,
  errors: 10,
  replay: 40,
  flips: 60,
  clock: 5,
  stop: 8,
};

for (const { name, about, run } of suites) {
  const pointsMax = points[name];
  if (pointsMax === undefined) continue;
  const seed = 1 + (Math.floor(Date.now() / 1000) % 100_000);
  test(`${name}: ${about}`, async () => {
    const endMs = Number.POSITIVE_INFINITY;
    for (const tally of await run({ seed, pointsMax, endMs, isShort: true }))
      assert.deepEqual(tally.wrong, [], `seed ${seed}`);
  });
}
