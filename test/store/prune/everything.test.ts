import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryBackend } from '../../../store/index.ts';
import { makeWorld } from '../../faults/world.ts';
import { checkWhole, namesOf, prune } from '../../helpers/prune-rig.ts';
import { reopenStore } from '../../helpers/stores.ts';

test('a prune does everything that there was to do', async () => {
  const backend = memoryBackend();
  const { snapshots, victim } = await makeWorld(backend, 1 + (Date.now() % 1000));
  assert.equal(namesOf(backend, 'intents/').length, 1);
  assert.equal(namesOf(backend, 'sessions/').length, 2);
  const result = await prune(await reopenStore(backend));
  assert.ok(result.orphanPacks >= 1 && result.rewrittenPacks >= 1, JSON.stringify(result));
  assert.ok(result.deletedPacks > result.orphanPacks + result.rewrittenPacks, JSON.stringify(result));
  assert.equal(namesOf(backend, 'intents/').length, 0);
  assert.equal(namesOf(backend, 'sessions/').length, 0);
  const { pendingBytes } = await prune(await reopenStore(backend));
  assert.equal(pendingBytes, 0);
  await checkWhole(backend, [...snapshots, victim]);
});
