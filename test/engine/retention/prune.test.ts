import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodePair } from '../../../engine/pair-codec.ts';
import { type PruneOptions, prune } from '../../../engine/retention/prune.ts';
import type { RetentionPolicy } from '../../../engine/retention/retention.ts';
import { listSnapshots } from '../../../engine/snapshots.ts';
import {
  appendLedger,
  beginPrune,
  type Clock,
  forgetSnapshot,
  isStoreError,
  memoryBackend,
  readHolds,
  type SnapshotId,
  type Store,
  setHold,
  storeError,
} from '../../../store/index.ts';
import { observedBackend } from '../../helpers/faulty-backend.ts';
import { somePair } from '../../helpers/pairs.ts';
import { seededSeams } from '../../helpers/seeded.ts';
import { sleeperClock } from '../../helpers/sleeper-clock.ts';
import { makeStore, reopenStore } from '../../helpers/stores.ts';

interface Wish {
  readonly instance: string;
  readonly timeMs: number;
  readonly host?: string;
  readonly tags?: string[];
  readonly fence?: typeof somePair.fence;
}

async function commit(store: Store, { host = 'alpha', ...wish }: Wish): Promise<SnapshotId> {
  await using session = await store.beginBackup({ host });
  return await session.commit(encodePair({ ...somePair, ...wish }));
}

const dayMs = 86_400_000;
const day = (number: number) => Date.UTC(2025, 0, 1, 12) + number * dayMs;
const seams = seededSeams('prune');

function pruneBy(policy: NonNullable<PruneOptions['retention']>['policy'], store: Store, more: object = {}) {
  return prune({
    store,
    host: 'alpha',
    clock: seams.clock,
    retention: { policy, timeZone: 'UTC' },
    instance: undefined,
    mayBeUnknown: true,
    isDryRun: false,
    mayBeEmpty: false,
    onWait: () => {},
    onProgress: () => {},
    signal: AbortSignal.timeout(60_000),
    ...more,
  });
}

const idsOf = (snapshots: readonly { readonly snapshot: { readonly id: string } }[]) =>
  snapshots.map(({ snapshot }) => snapshot.id);
const listed = async (store: Store) => (await listSnapshots(store)).map(({ id }) => id);

test('hosts within an instance share its policy, and hosts of two instances do not', async () => {
  const store = await makeStore();
  const ids: SnapshotId[] = [];
  for (const [instance, host, number] of [
    ['a', 'alpha', 1],
    ['a', 'beta', 2],
    ['b', 'alpha', 3],
    ['a', 'alpha', 4],
    ['b', 'beta', 5],
  ] as const)
    ids.push(await commit(store, { instance, host, timeMs: day(number) }));
  const { kept, forgotten } = await pruneBy({ keepDaily: 2 }, store);
  assert.deepEqual(idsOf(forgotten), [ids[0]]);
  assert.deepEqual(idsOf(kept), ids.slice(1));
  assert.deepEqual(await listed(store), ids.slice(1));
});

test('a dry run decides the same and leaves everything there', async () => {
  const store = await makeStore();
  const ids: SnapshotId[] = [];
  for (let number = 0; number < 5; number++)
    ids.push(await commit(store, { instance: 'a', timeMs: day(number) }));
  const { forgotten } = await pruneBy({ keepLast: 2 }, store, { isDryRun: true });
  assert.deepEqual(idsOf(forgotten), ids.slice(0, 3));
  assert.deepEqual(await listed(store), ids);
});

test('whatever is committed, held and pruned: no instance loses its newest, what is held, or to another', async () => {
  const act = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ instance: fc.constantFrom('a', 'b'), days: fc.integer({ min: -2, max: 3 }) }),
    },
    { weight: 1, arbitrary: fc.record({ hold: fc.nat() }) },
    {
      weight: 2,
      arbitrary: fc.record({
        only: fc.constantFrom('a', 'b', undefined),
        keepLast: fc.integer({ min: 0, max: 2 }),
        keepDaily: fc.integer({ min: 0, max: 3 }),
      }),
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 4, maxLength: 14 }), async acts => {
      const store = await makeStore();
      const there: { id: SnapshotId; instance: string }[] = [];
      let now = 0;
      for (const wish of acts) {
        if ('days' in wish) {
          now += wish.days;
          const { instance } = wish;
          there.push({ id: await commit(store, { instance, timeMs: day(now) }), instance });
        } else if ('hold' in wish) {
          const some = there[wish.hold % Math.max(1, there.length)];
          if (some) await setHold(store, some.id, { isHeld: true, reason: 'test' });
        } else if (there.length > 0) {
          const { only, ...policy } = wish;
          const held = await readHolds(store);
          const { kept, forgotten } = await pruneBy(policy, store, { instance: only });
          const gone = new Set<string>(idsOf(forgotten));
          for (const { id, instance } of there) {
            if (held.has(id) || (only !== undefined && only !== instance)) assert.ok(!gone.has(id));
          }
          for (const instance of ['a', 'b']) {
            const newest = there.findLast(one => one.instance === instance);
            if (newest) assert.ok(!gone.has(newest.id));
          }
          const left = there.filter(({ id }) => !gone.has(id));
          there.splice(0, there.length, ...left);
          assert.deepEqual(
            idsOf(kept),
            there.map(({ id }) => id),
          );
          assert.deepEqual(
            await listed(store),
            there.map(({ id }) => id),
          );
        }
      }
    }),
    { numRuns: 40 },
  );
});

test('an instance that has no snapshot is an error where somebody named it, and a warning where it is configured', async () => {
  const store = await makeStore();
  await commit(store, { instance: 'a', timeMs: day(1) });
  const { warnings } = await pruneBy({ keepDaily: 2 }, store, { instance: 'b' });
  assert.equal(warnings.length, 1);
  await assert.rejects(pruneBy({ keepDaily: 2 }, store, { instance: 'b', mayBeUnknown: false }), {
    code: 'SNAPSHOT_UNKNOWN',
  });
});

test('a tag that no snapshot has is told where it alone is to keep any', async () => {
  const store = await makeStore();
  await commit(store, { instance: 'a', timeMs: day(1) });
  const warned = async (policy: RetentionPolicy) => (await pruneBy(policy, store)).warnings.length;
  assert.equal(await warned({ keepTag: ['absent'] }), 1);
  assert.equal(await warned({ keepTag: ['absent'], keepDaily: 2 }), 0);
});

test('what the ledger says was verified and drilled stays, and what is not proven takes nobody’s place', async () => {
  const store = await makeStore();
  const fence = { ...somePair.fence, kind: 'none' } as typeof somePair.fence; // as while the application was not held
  const ids: SnapshotId[] = [];
  for (let number = 0; number < 6; number++)
    ids.push(await commit(store, { instance: 'a', timeMs: day(number), ...(number > 3 && { fence }) }));
  const act = { host: 'alpha', isOk: true, packs: [], detail: null } as const;
  await appendLedger(store, { ...act, act: 'verified', snapshots: [ids[1]!] });
  await appendLedger(store, { ...act, act: 'drilled', snapshots: [ids[0]!] });
  const { kept } = await pruneBy({ keepLast: 1 }, store);
  assert.deepEqual(
    kept.map(({ snapshot, reasons }) => [snapshot.id, reasons]),
    [
      [ids[0], ['newest drilled']],
      [ids[1], ['newest verified']],
      [ids[3], ['newest proven', 'last']],
      [ids[5], ['newest', 'last']],
    ],
  );
});

test('where the ledger cannot be read, what may be the newest verified stays until another is', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const ids: SnapshotId[] = [];
  for (let number = 0; number < 4; number++)
    ids.push(await commit(store, { instance: 'a', timeMs: day(number) }));
  const act = { host: 'alpha', act: 'verified', isOk: true, packs: [], detail: null } as const;
  await appendLedger(store, { ...act, snapshots: [ids[0]!] });
  const before = new Set(backend.snapshot().keys());
  await appendLedger(store, { ...act, snapshots: [ids[2]!] });
  const [record] = [...backend.snapshot().keys()].filter(
    name => name.startsWith('ledger/') && !before.has(name),
  );
  const bytes = backend.snapshot().get(record!)!.slice();
  bytes[bytes.length - 20]! ^= 1;
  await backend.delete(record!);
  await backend.put(record!, bytes);
  const first = await pruneBy({ keepLast: 1 }, store);
  assert.equal(first.kept.length, 4);
  assert.equal(first.warnings.length, 1);
  await appendLedger(store, { ...act, snapshots: [ids[3]!] });
  const { kept } = await pruneBy({ keepLast: 1 }, store);
  assert.deepEqual(
    kept.map(({ snapshot }) => snapshot.id),
    [ids[3]],
  );
});

test('whatever a store holds, a dry run says what the run then does', async () => {
  const taken = fc.record({
    instance: fc.constantFrom('a', 'b'),
    days: fc.integer({ min: 0, max: 2 }),
    contents: fc.uniqueArray(fc.nat(7), { minLength: 1, maxLength: 6 }),
    isKilled: fc.integer({ min: 0, max: 5 }).map(number => number === 0),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(taken, { minLength: 2, maxLength: 8 }),
      fc.record({ keepLast: fc.nat(2), keepDaily: fc.nat(2) }),
      async (wishes, policy) => {
        const store = await makeStore();
        let now = 0;
        for (const { instance, days, contents, isKilled } of wishes) {
          now += days;
          await using session = await store.beginBackup({ host: 'alpha' });
          const ids = [];
          for (const number of contents) ids.push(await session.put(Buffer.alloc(900, `${number} `), 'data'));
          await session.flush();
          if (isKilled) continue;
          const { roots, body } = encodePair({ ...somePair, instance, timeMs: day(now) });
          assert.equal(roots.length, 0);
          await session.commit({ roots: ids.map(id => ({ id, kind: 'data' as const })), body });
        }
        const said = async (isDryRun: boolean) => {
          const result = await pruneBy(policy, store, { isDryRun, mayBeEmpty: true });
          const { kept, forgotten, pending, freedBytes } = result;
          const brief = (list: typeof kept) => list.map(({ snapshot, reasons }) => [snapshot.id, reasons]);
          return { told: { kept: brief(kept), forgotten: brief(forgotten), pending }, freedBytes };
        };
        const [dry, real] = [await said(true), await said(false)];
        assert.deepEqual(real.told, dry.told);
        assert.ok(Math.abs(real.freedBytes - dry.freedBytes) <= 600, `${real.freedBytes} ${dry.freedBytes}`);
      },
    ),
    { numRuns: 25 },
  );
});

test('another prune is waited for as long as was said', async () => {
  const { clock, seams: living } = sleeperClock();
  const store = await makeStore({ seams: living });
  await commit(store, { instance: 'a', timeMs: day(1) });
  const other = await beginPrune(store, { host: 'beta' });
  const startMs = clock.monotonicMs();
  const waitMs = 60_000;
  await assert.rejects(pruneBy({}, store, { clock, waitMs }), { code: 'STORE_LOCKED' });
  assert.ok(clock.monotonicMs() - startMs >= waitMs);
  const impatient: Clock = {
    ...clock,
    async sleep() {
      await other[Symbol.asyncDispose]();
    },
  };
  assert.equal((await pruneBy({}, store, { clock: impatient, waitMs })).kept.length, 1);
});

test('a store in which nothing was ever stored has nothing to prune', async () => {
  const store = await makeStore();
  const { kept, forgotten, freedBytes } = await pruneBy({ keepLast: 1 }, store);
  assert.deepEqual([kept, forgotten, freedBytes], [[], [], 0]);
});

test('a store whose snapshots were all forgotten is emptied only when that is said', async () => {
  const store = await makeStore();
  await forgetSnapshot(store, await commit(store, { instance: 'a', timeMs: day(1) }), { reason: 'test' });
  const isImplausible = (error: unknown) => isStoreError(error) && error.code === 'STORE_IMPLAUSIBLE';
  await assert.rejects(pruneBy({}, store), isImplausible);
  const { kept, pendingBytes } = await pruneBy({}, store, { mayBeEmpty: true });
  assert.deepEqual([kept, pendingBytes], [[], 0]);
});

test('a list that leaves a snapshot out stops a policy before it forgets any', async () => {
  const store = await makeStore();
  const ids: SnapshotId[] = [];
  for (const number of [1, 2, 3]) ids.push(await commit(store, { instance: 'a', timeMs: day(number) }));
  const remembered = ['ab'.repeat(32)];
  await assert.rejects(pruneBy({ keepLast: 1 }, store, { remembered }), { code: 'STORE_IMPLAUSIBLE' });
  assert.deepEqual(await listed(store), ids);
  await pruneBy({ keepLast: 1 }, store);
  assert.deepEqual(await listed(store), ids.slice(2));
});

test('a manifest that may not be read ends a prune with that, and one that is gone names the way on', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const ids: SnapshotId[] = [];
  for (const number of [1, 2, 3])
    ids.push(await commit(store, { instance: 'a', host: 'alpha', timeMs: day(number) }));
  const name = `manifests/${ids[0]}`;
  const error = storeError('STORE_READ_FAILED', 'Cannot read: denied', { context: { errno: 'EACCES' } });
  const medium = observedBackend(backend, call =>
    call.operation === 'get' && call.name === name ? { when: 'before', error } : undefined,
  );
  await assert.rejects(pruneBy({ keepDaily: 9 }, await reopenStore(medium)), error);
  await backend.delete(name);
  await assert.rejects(pruneBy({ keepDaily: 9 }, await reopenStore(backend)), {
    code: 'STORE_IMPLAUSIBLE',
    remedy: /stillpoint repair --forget-lost/,
  });
});
