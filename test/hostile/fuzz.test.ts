import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzzHostile } from '../../bench/hostile/fuzz.ts';

// The long form is `npm run fuzz:hostile`; a finding is made again there with its seed, --from its case --cases 1.
test('hostile homes, databases and stores are read and restored within the target, or refused with a code', async t => {
  const totals = await fuzzHostile({ seed: 7, cases: 300, stepMsMax: 30_000 });
  t.diagnostic(`${totals.cases} cases, slowest step ${Math.round(totals.slowestMs)} ms`);
  assert.deepEqual(totals.findings, []);
  assert.equal(totals.escapes, 0);
  for (const step of [
    'home restore: done',
    'database rows: done',
    'store restore: done',
    'home restore: STORE_DAMAGED',
  ])
    assert.ok((totals.ended.get(step) ?? 0) > 5, `${step} is reached`);
});
