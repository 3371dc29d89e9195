import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type MemoryBackend, memoryBackend } from '../../../store/index.ts';
import { makeWorld } from '../../faults/world.ts';
import { checkWhole, copyOf, namesOf, prune } from '../../helpers/prune-rig.ts';
import type { SmallSnapshot } from '../../helpers/small-store.ts';
import { reopenStore } from '../../helpers/stores.ts';

async function prepared(): Promise<{ backend: MemoryBackend; snapshots: readonly SmallSnapshot[] }> {
  const backend = memoryBackend();
  const { snapshots, victim } = await makeWorld(backend, Number(process.env['STILLPOINT_SEED'] ?? 1));
  return { backend, snapshots: [...snapshots, victim] };
}

test('a prune does everything that there was to do', async () => {
  const { backend, snapshots } = await prepared();
  assert.equal(namesOf(backend, 'intents/').length, 1);
  assert.equal(namesOf(backend, 'sessions/').length, 2);
  const result = await prune(await reopenStore(backend));
  assert.ok(result.orphanPacks >= 1 && result.rewrittenPacks >= 1, JSON.stringify(result));
  assert.ok(result.deletedPacks > result.orphanPacks + result.rewrittenPacks, JSON.stringify(result));
  assert.equal(namesOf(backend, 'intents/').length, 0);
  assert.equal(namesOf(backend, 'sessions/').length, 0);
  const { pendingBytes } = await prune(await reopenStore(backend));
  assert.equal(pendingBytes, 0);
  await checkWhole(backend, snapshots);
});

test('a prune whose time is over at any step ends well, and one after the other they come to the same', async () => {
  const { backend, snapshots } = await prepared();
  let steps = 0;
  const whole = await prune(await reopenStore(copyOf(backend)), {
    isTimeUp: () => {
      steps += 1;
      return false;
    },
  });
  const seen = new Set<string | undefined>();
  for (let allowed = 0; allowed <= steps; allowed++) {
    const where = `after ${allowed} of ${steps} steps`;
    const medium = copyOf(backend);
    let left = allowed;
    const first = await prune(await reopenStore(medium), { isTimeUp: () => left-- <= 0 });
    seen.add(first.stoppedIn);
    assert.equal(first.stoppedIn === undefined, allowed === steps, where);
    if (first.stoppedIn === 'delete') assert.ok(first.pending.timeBytes > 0, where);
    await checkWhole(medium, snapshots, { where });
    const second = await prune(await reopenStore(medium));
    assert.equal(second.stoppedIn, undefined);
    assert.equal(packBytesOf(medium), second.storedBytes, where);
    // Copies differ by what shares a frame.
    assert.ok(Math.abs(second.storedBytes - whole.storedBytes) < 300, where);
    await checkWhole(medium, snapshots, { where: `${where}, gone on with` });
  }
  assert.deepEqual(seen, new Set(['mark', 'delete', undefined]));
});

test('when the time for copies is over what needs none still goes', async () => {
  const { backend, snapshots } = await prepared();
  const first = await prune(await reopenStore(backend), { isTimeUp: (share = 1) => share < 1 });
  assert.equal(first.stoppedIn, 'rewrite');
  assert.ok(first.deletedPacks > 0 && first.rewrittenPacks === 0 && first.pending.timeBytes > 0);
  assert.ok((await prune(await reopenStore(backend))).rewrittenPacks > 0);
  await checkWhole(backend, snapshots);
});

function packBytesOf(backend: MemoryBackend): number {
  return [...backend.snapshot()]
    .filter(([name]) => name.startsWith('packs/'))
    .reduce((sum, [, bytes]) => sum + bytes.length, 0);
}
