import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { inPlace } from '../../engine/in-place.ts';
import type { Snapshot } from '../../engine/pair.ts';
import { encodePair } from '../../engine/pair-codec.ts';
import { originalsOf } from '../../engine/retention/prune.ts';
import { findSnapshot, listSnapshots } from '../../engine/snapshots.ts';
import { memoryBackend, type SnapshotId, type Store } from '../../store/index.ts';
import { somePair } from '../helpers/pairs.ts';
import { makeStore, reopenStore } from '../helpers/stores.ts';

async function commit(
  store: Store,
  wish: { instance: string; timeMs: number; tags?: string[] },
): Promise<SnapshotId> {
  await using session = await store.beginBackup({ host: 'alpha' });
  return await session.commit(encodePair({ ...somePair, ...wish }));
}

test('latest is the newest of the instance, and of the tag', async () => {
  const store = await makeStore();
  const old = await commit(store, { instance: 'a', timeMs: 1, tags: ['kept'] });
  const young = await commit(store, { instance: 'a', timeMs: 2 });
  await commit(store, { instance: 'b', timeMs: 3 });
  assert.equal((await findSnapshot(store, { name: 'latest', filter: { instance: 'a' } })).id, young);
  assert.equal((await findSnapshot(store, { name: 'latest', filter: { tag: 'kept' } })).id, old);
});

test('latest of several instances is refused', async () => {
  const store = await makeStore();
  await commit(store, { instance: 'a', timeMs: 1 });
  await commit(store, { instance: 'b', timeMs: 2 });
  await assert.rejects(findSnapshot(store, { name: 'latest' }), { code: 'SNAPSHOT_AMBIGUOUS' });
});

test('latest of nothing is unknown', async () => {
  await assert.rejects(findSnapshot(await makeStore(), { name: 'latest' }), { code: 'SNAPSHOT_UNKNOWN' });
});

test('a manifest that cannot be read does not hide the others, and is told of', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const whole = await commit(store, { instance: 'a', timeMs: 1 });
  const damaged = await commit(store, { instance: 'a', timeMs: 2 });
  const objects = backend.snapshot();
  const bytes = new Uint8Array(objects.get(`manifests/${damaged}`)!);
  bytes[bytes.length - 1]! ^= 1;
  const opened = await reopenStore(memoryBackend({ objects: objects.set(`manifests/${damaged}`, bytes) }));
  const told: string[] = [];
  const onDamage = (id: string) => void told.push(id);
  assert.equal((await findSnapshot(opened, { name: 'latest', filter: { onDamage } })).id, whole);
  assert.deepEqual(told, [damaged]);
  await assert.rejects(listSnapshots(opened), { code: 'STORE_DAMAGED' });
});

/** The same, in n² steps: what it is to be. */
function plainly(snapshots: readonly Snapshot[]): Snapshot[] {
  const ordered = snapshots.filter(({ degraded }) => degraded === undefined);
  for (const one of snapshots) {
    if (one.degraded === undefined) continue;
    const { of } = one.degraded;
    const last = ordered.findLastIndex(({ id, degraded }) => id === of || degraded?.of === of);
    const later = ordered.findIndex(
      ({ instance, timeMs }) => instance === one.instance && timeMs > one.timeMs,
    );
    ordered.splice(last >= 0 ? last + 1 : later >= 0 ? later : ordered.length, 0, one);
  }
  return ordered;
}

test('what is left of a snapshot stands where that stood, whatever became of it', () => {
  const one = fc.record({ of: fc.option(fc.nat(30)), isGone: fc.boolean() });
  fc.assert(
    fc.property(fc.array(one, { maxLength: 12 }), list => {
      const ids = list.map((_, i) => String(i).padStart(64, '0') as SnapshotId);
      const all = list.map(({ of }, i): Snapshot => {
        const original = of === null || i === 0 ? undefined : of % i;
        const timeMs = original === undefined ? 1_000 * i : 1_000 * original;
        const degraded = original === undefined ? undefined : { of: ids[original]!, losses: [], more: 0 };
        const base = { ...somePair, id: ids[i]!, host: 'here', sequence: i, instance: 'a', timeMs };
        return degraded === undefined ? base : { ...base, degraded };
      });
      // What is left of what is left has the time of the first.
      for (const [i, snapshot] of all.entries())
        if (snapshot.degraded)
          all[i] = { ...snapshot, timeMs: all[ids.indexOf(snapshot.degraded.of)]!.timeMs };
      const there = all.filter((_, i) => !list[i]!.isGone);
      const idsOf = (snapshots: readonly Snapshot[]) => snapshots.map(({ id }) => Number(id));
      assert.deepEqual(idsOf(inPlace(there)), idsOf(plainly(there)));
    }),
    { numRuns: 300 },
  );
});

test('thirty thousand that are left of each other, or of what is gone, are ordered and pruned in a moment', async () => {
  const count = 30_000;
  const idOf = (i: number) => String(i).padStart(64, '0') as SnapshotId;
  const chain = Array.from({ length: count }, (_, i): Snapshot => {
    const base = { ...somePair, id: idOf(i), host: 'here', sequence: i, instance: 'a', timeMs: i };
    return { ...base, degraded: { of: idOf(i % 2 === 0 ? i - 1 : count + i), losses: [], more: 0 } };
  });
  // With n² steps each takes minutes: the test runs into its limit.
  assert.equal(inPlace(chain).length, count);
  assert.equal(originalsOf(chain).size, count / 2 - 1);
  const circle = [0, 1, 2].map(i => ({
    ...chain[0]!,
    id: idOf(i),
    degraded: { of: idOf((i + 1) % 3), losses: [], more: 0 },
  }));
  assert.equal(originalsOf(circle).size, 0);
});
