import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runChain } from '../../bench/chain/index.ts';
import { smallRig } from '../helpers/small-rig.ts';

test('what is left of a chain restores exactly, whatever was changed, forgotten and pruned in between', async context => {
  const seed = Number(process.env['CHAIN_SEED'] ?? 1 + (Math.floor(performance.timeOrigin) % 1_000_000));
  await using rig = await smallRig({ rows: 1_500, seed, inProcess: true });
  const steps: string[] = [];
  try {
    const result = await runChain(rig, { runs: 8, seed, onStep: step => void steps.push(step) });
    assert.deepEqual([...result.different], []);
    assert.ok(result.remaining.length > 0);
  } finally {
    context.diagnostic(`seed ${seed}`);
    for (const step of steps) context.diagnostic(step);
  }
});
