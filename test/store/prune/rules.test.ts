import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import {
  appendLedger,
  type Backend,
  beginPrune,
  beginRepair,
  forgetSnapshot,
  type MemoryBackend,
  memoryBackend,
  type NewLedgerAct,
  type PackId,
  recordDamage,
  type SessionId,
  type SnapshotId,
  type Store,
  storeError,
  verifyStore,
} from '../../../store/index.ts';
import { generationRecord, sessionRecord } from '../../../store/protocol/records.ts';
import { openRecord, sealRecord } from '../../../store/record.ts';
import { insideOf } from '../../../store/store.ts';
import { collect } from '../../helpers/collect.ts';
import { observedBackend } from '../../helpers/faulty-backend.ts';
import { checkWhole, drop, namesOf, prune } from '../../helpers/prune-rig.ts';
import { commitFiles, readFiles, type SmallSnapshot } from '../../helpers/small-store.ts';
import { makeStore, reopenStore } from '../../helpers/stores.ts';

const contents = new Map<string, Buffer>();
function files(names: string): Map<string, Buffer> {
  for (const name of names) if (!contents.has(name)) contents.set(name, randomBytes(900));
  return new Map([...names].map(name => [name, contents.get(name)!]));
}

async function prepared(...snapshots: string[]): Promise<{
  backend: MemoryBackend;
  store: Store;
  snapshots: SmallSnapshot[];
}> {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const made: SmallSnapshot[] = [];
  for (const names of snapshots) made.push(await commitFiles(store, files(names)));
  return { backend, store, snapshots: made };
}

/** The same store without some objects, or with some cut short. */
function without(backend: MemoryBackend, change: (objects: Map<string, Uint8Array>) => void): MemoryBackend {
  const objects = backend.snapshot();
  change(objects);
  return memoryBackend({ objects });
}

async function assertRefused(medium: MemoryBackend, code: string): Promise<void> {
  const kept = (): string[] => namesOf(medium, '').filter(name => !name.startsWith('sessions/'));
  const before = kept();
  await assert.rejects(prune(await reopenStore(medium)), { code });
  assert.deepEqual(kept(), before);
}

test('a snapshot that cannot be read or walked stops a prune, and nothing is deleted', async () => {
  const { backend, store, snapshots } = await prepared('abc', 'def', 'ghi');
  await forgetSnapshot(store, snapshots[0]!.id, { reason: 'a test' });
  const manifest = `manifests/${snapshots[1]!.id}`;
  await assertRefused(
    without(backend, objects => objects.set(manifest, objects.get(manifest)!.slice(0, 130))),
    'STORE_DAMAGED',
  );
  const pack = await packOf(backend, snapshots[1]!);
  await assertRefused(
    without(backend, objects =>
      objects.set(
        pack,
        objects.get(pack)!.map(byte => byte ^ 1),
      ),
    ),
    'STORE_DAMAGED',
  );
  await assertRefused(
    without(backend, objects => objects.delete(pack)),
    'STORE_DAMAGED',
  );
});

test('a medium that fails to read stops a prune, and nobody calls the store damaged', async () => {
  const { backend, snapshots } = await prepared('abc', 'def');
  const pack = await packOf(backend, snapshots[1]!);
  const failing = (isMeant: (name: string) => boolean) =>
    observedBackend(backend, ({ operation, name }) =>
      operation === 'get' && isMeant(name)
        ? { when: 'before', error: storeError('STORE_READ_FAILED', 'no answer') }
        : undefined,
    );
  const inPack = failing(name => name === pack);
  await assert.rejects(prune(await reopenStore(inPack)), { code: 'STORE_READ_FAILED' });
  const inIndex = failing(name => name === pack || name.startsWith('index/'));
  await assert.rejects(prune(await reopenStore(inIndex)), { code: 'STORE_READ_FAILED' });
  await prune(await reopenStore(backend));
  await checkWhole(backend, snapshots);
});

/** The metadata pack of a snapshot: the smaller of its two. */
async function packOf(backend: MemoryBackend, snapshot: SmallSnapshot): Promise<string> {
  return (await packsOf(backend, snapshot))[0]!;
}

/** The smallest first. */
async function packsOf(backend: MemoryBackend, { id }: SmallSnapshot): Promise<string[]> {
  const objects = backend.snapshot();
  const packs = namesOf(backend, 'packs/').filter(name => name.includes(`/${id.slice(0, 32)}`));
  return packs.sort((a, b) => objects.get(a)!.length - objects.get(b)!.length);
}

test('a pack that is recorded as lost, and came back, brings back all that its snapshot needs, whatever was pruned', async () => {
  for (const kind of ['metadata', 'data'] as const) {
    const { backend, store, snapshots } = await prepared('abc', 'def', 'ghi');
    await forgetSnapshot(store, snapshots[0]!.id, { reason: 'a test' });
    const packs = await packsOf(backend, snapshots[1]!);
    const name = kind === 'metadata' ? packs[0]! : packs.at(-1)!;
    const bytes = backend.snapshot().get(name)!;
    await backend.delete(name);
    const lost = kind === 'metadata' ? [snapshots[1]!.root.id] : [];
    await recordDamage(await reopenStore(backend), [
      { pack: name.split('/')[2] as PackId, ordinals: 'all', lost },
    ]);
    const pruned = prune(await reopenStore(backend));
    // Of data that is lost the rest is known; of a node nobody knows what else it needed.
    if (kind === 'data') assert.ok((await pruned).deletedPacks > 0);
    else await assert.rejects(pruned, { code: 'STORE_DAMAGED' });
    await backend.put(name, bytes);
    const { root, files: expected } = snapshots[1]!;
    assert.deepEqual(await readFiles(await reopenStore(backend), root), expected, kind);
  }
});

test('a list that leaves snapshots out stops a prune', async () => {
  const { backend, store, snapshots } = await prepared('abc', 'def', 'ghi');
  const manifests = namesOf(backend, 'manifests/');
  // Without the first: its successor misses it. Without the last nothing tells; that is what marks and counts are for.
  await assertRefused(
    without(backend, objects => objects.delete(`manifests/${snapshots[0]!.id}`)),
    'STORE_IMPLAUSIBLE',
  );
  await assertRefused(
    without(backend, objects => {
      for (const name of manifests) objects.delete(name);
    }),
    'STORE_IMPLAUSIBLE',
  );
  await forgetSnapshot(store, snapshots[0]!.id, { reason: 'a test' });
  await assertRefused(
    without(backend, objects => {
      for (const name of namesOf(backend, 'forgotten/')) objects.delete(name);
    }),
    'STORE_IMPLAUSIBLE',
  );
  await prune(store);
});

test('a snapshot that a list leaves out is missed also once what came after it is forgotten', async () => {
  const { backend, store, snapshots } = await prepared('abc', 'def', 'ghi', 'jkl');
  const [first, second, third, fourth] = snapshots as [SmallSnapshot, ...SmallSnapshot[]];
  await drop(store, first, third!);
  await prune(store);
  await checkWhole(backend, [second!, fourth!], { others: true });
  const leftOut = without(backend, objects => objects.delete(`manifests/${second!.id}`));
  await assertRefused(leftOut, 'STORE_IMPLAUSIBLE');
  const { damage } = await verifyStore(await reopenStore(leftOut));
  assert.deepEqual(
    damage.map(({ object }) => object),
    [`manifests/${second!.id}`],
  );
  await drop(store, second!);
  await prune(store);
  await checkWhole(backend, [fourth!]);
});

test('a snapshot that was ever verified is missed, though nothing came after it', async () => {
  const { backend, store, snapshots } = await prepared('abc', 'def');
  const [first, second] = snapshots as [SmallSnapshot, SmallSnapshot];
  await appendLedger(store, ledgerAct([second.id]));
  const leftOut = without(backend, objects => objects.delete(`manifests/${second.id}`));
  await assertRefused(leftOut, 'STORE_IMPLAUSIBLE');
  assert.equal((await verifyStore(await reopenStore(leftOut))).isOk, false);
  await drop(store, second);
  await prune(store);
  await checkWhole(backend, [first]);
});

function ledgerAct(snapshots: readonly SnapshotId[]): NewLedgerAct {
  return { act: 'verified', host: 'alpha', isOk: true, snapshots, packs: [], detail: null };
}

test('what came after a snapshot that a list leaves out cannot be forgotten, for it alone says that there is one', async () => {
  const { backend, snapshots } = await prepared('abc', 'def', 'ghi', 'jkl');
  const [first, second, third] = snapshots as [SmallSnapshot, ...SmallSnapshot[]];
  const leftOut = () => without(backend, objects => objects.delete(`manifests/${second!.id}`));
  const forgetting = forgetSnapshot(await reopenStore(leftOut()), third!.id, { reason: 'a test' });
  await assert.rejects(forgetting, { code: 'STORE_IMPLAUSIBLE' });
  {
    const untouched = leftOut();
    await using session = await beginPrune(await reopenStore(untouched), { host: 'pruner', dryRun: true });
    await assert.rejects(session.reclaim({ dryRun: true, forgetting: [first.id, third!.id] }), {
      code: 'STORE_IMPLAUSIBLE',
    });
  }
});

test('the last snapshot is pruned only by who says that none is left', async () => {
  const { backend, store, snapshots } = await prepared('abc');
  await forgetSnapshot(store, snapshots[0]!.id, { reason: 'a test' });
  await assert.rejects(prune(store), { code: 'STORE_IMPLAUSIBLE' });
  await prune(store, { mayBeEmpty: true });
  assert.deepEqual(namesOf(backend, 'packs/'), []);
  await checkWhole(backend, []);
  await checkWhole(backend, [await commitFiles(store, files('abc'))]);
});

test('packs that no index lists are kept when something in them is needed', async () => {
  const { backend, snapshots } = await prepared('abc', 'def');
  const lost = without(backend, objects => {
    for (const name of namesOf(backend, 'index/')) objects.delete(name);
  });
  assert.equal((await prune(await reopenStore(lost))).deletedPacks, 0);
  await checkWhole(lost, snapshots); // they are listed again, too
});

test('an index that would list less than before stops a prune before anything is deleted', async () => {
  const { backend, store, snapshots } = await prepared('abc', 'def', 'ghi');
  await forgetSnapshot(store, snapshots[0]!.id, { reason: 'a test' });
  const before = namesOf(backend, 'packs/');
  const known = new Set(namesOf(backend, 'index/'));
  // The medium loses a part once the merged ones are there.
  const forgetful: Backend = {
    ...backend,
    async *list(prefix, options) {
      const names = namesOf(backend, 'index/');
      const isMerged = namesOf(backend, 'gc/').includes('gc/1.sweep') && names.some(name => !known.has(name));
      const [hidden] = names.filter(name => known.has(name) && name.includes(snapshots[2]!.id.slice(0, 32)));
      for await (const object of backend.list(prefix, options))
        if (!isMerged || object.name !== hidden) yield object;
    },
  };
  await assert.rejects(prune(await reopenStore(forgetful)), { code: 'STORE_DAMAGED' });
  assert.deepEqual(namesOf(backend, 'packs/'), before);
  await prune(store);
  assert.ok(namesOf(backend, 'packs/').length < before.length);
  await checkWhole(backend, snapshots.slice(1));
});

test('what an estimate says is what a prune then does, and the estimate writes nothing', async () => {
  const { backend, store, snapshots } = await prepared('abcd', 'befg', 'ahi');
  const before = backend.snapshot();
  const estimate = await prune(store, { dryRun: true, forgetting: [snapshots[0]!.id] });
  assert.deepEqual([...backend.snapshot().keys()].sort(), [...before.keys()].sort());
  const done = await drop(store, snapshots[0]!);
  assert.equal(estimate.deletedPacks, done.deletedPacks);
  assert.equal(estimate.rewrittenPacks, done.rewrittenPacks);
  assert.ok(
    Math.abs(estimate.freedBytes - done.freedBytes) < 500,
    `${estimate.freedBytes} ${done.freedBytes}`,
  );
  assert.equal(
    done.storedBytes,
    [...backend.snapshot()]
      .filter(([name]) => name.startsWith('packs/'))
      .reduce((sum, [, bytes]) => sum + bytes.length, 0),
  );
});

test('on a medium too full for copies what needs none goes, and the rest is said to wait', async () => {
  const { backend, snapshots } = await prepared('abcd', 'hij', 'aefg');
  const full = observedBackend(backend, ({ operation, name }) => {
    if (operation !== 'put' || !name.startsWith('packs/')) return undefined;
    const context = { errno: 'ENOSPC' };
    return { when: 'before', error: storeError('STORE_WRITE_FAILED', `Cannot create ${name}`, { context }) };
  });
  const result = await drop(await reopenStore(full), snapshots[0]!, snapshots[1]!);
  assert.ok(result.deletedPacks > 0 && result.rewrittenPacks === 0);
  assert.ok(result.pending.roomBytes > 2000, JSON.stringify(result.pending));
  const nearlyFull = { ...backend, freeBytes: async () => 2 * 1024 * 1024 + 100 };
  for (const medium of [full, nearlyFull]) {
    const packs = namesOf(backend, 'packs/');
    const { pending, pendingBytes } = await prune(await reopenStore(medium));
    assert.deepEqual([pending.roomBytes, pendingBytes], [result.pending.roomBytes, result.pendingBytes]);
    assert.deepEqual(namesOf(backend, 'packs/'), packs, 'nothing is left of copies that have no room');
  }
  const { freedBytes } = await prune(await reopenStore(backend));
  assert.ok(Math.abs(freedBytes - result.pendingBytes) < 500, `${freedBytes} ${result.pendingBytes}`);
  await checkWhole(backend, [snapshots[2]!]);
});

test('a prune that made room for copies goes on with them, and one that did not says how much they need', async () => {
  const { backend, snapshots } = await prepared('abcd', 'hijklmnopq', 'aefg');
  const used = () => [...backend.snapshot().values()].reduce((sum, bytes) => sum + bytes.length, 0);
  const capacity = used() + 2 * 1024 * 1024 + 100;
  const medium = { ...backend, freeBytes: async () => capacity - used() };
  const estimate = await prune(await reopenStore(backend), {
    dryRun: true,
    forgetting: [snapshots[0]!.id, snapshots[1]!.id],
  });
  const untouched = memoryBackend({ objects: backend.snapshot() });
  const withReserve = memoryBackend({ objects: backend.snapshot() });
  const done = await drop(await reopenStore(medium), snapshots[0]!, snapshots[1]!);
  assert.ok(done.rewrittenPacks > 0 && done.roomNeededBytes === 0, JSON.stringify(done));
  assert.equal(done.deletedPacks, estimate.deletedPacks);
  await checkWhole(backend, [snapshots[2]!]);
  const short = { ...untouched, freeBytes: async () => 2 * 1024 * 1024 };
  const waiting = await drop(await reopenStore(short), snapshots[0]!, snapshots[1]!);
  let reserve = 1024 * 1024;
  const reserved = {
    ...withReserve,
    freeBytes: async () => 3 * 1024 * 1024 - reserve,
    async giveReserve() {
      const wasThere = reserve > 0;
      reserve = 0;
      return wasThere;
    },
  };
  const helped = await drop(await reopenStore(reserved), snapshots[0]!, snapshots[1]!);
  assert.equal(helped.deletedPacks, estimate.deletedPacks, 'what is set aside is used');
  assert.ok(waiting.rewrittenPacks === 0 && waiting.roomNeededBytes > 900, JSON.stringify(waiting));
});

test('a store is left with little that is not needed, though no pack has much of it', async () => {
  const { backend, store } = await prepared();
  const some = (from: number, to: number) =>
    new Map(Array.from({ length: to - from }, (_, i) => [`${from + i}`.padStart(4, '0'), content(from + i)]));
  const first = await commitFiles(store, some(0, 120));
  const second = await commitFiles(store, some(0, 100));
  await drop(store, first);
  const { pending, storedBytes } = await prune(store);
  assert.ok(pending.mostlyNeededBytes < 0.04 * storedBytes, JSON.stringify({ pending, storedBytes }));
  await checkWhole(backend, [second]);
});

function content(number: number): Buffer {
  return createHash('shake256', { outputLength: 900 }).update(`${number}`).digest();
}

test('the many small packs of small backups are joined', async () => {
  const { backend, store } = await prepared('a');
  const snapshots: SmallSnapshot[] = [];
  for (let i = 0; i < 40; i++)
    snapshots.push(await commitFiles(store, new Map([['one', Buffer.from(`content ${i}, `.repeat(40))]])));
  assert.ok(namesOf(backend, 'packs/').length > 80);
  await prune(store);
  await prune(store);
  assert.ok(namesOf(backend, 'packs/').length < 6, `${namesOf(backend, 'packs/').length}`);
  assert.ok(namesOf(backend, 'index/').length < 6, `${namesOf(backend, 'index/').length}`);
  await checkWhole(backend, snapshots, { others: true });
});

test('a pack of which something cannot be read is not copied from, and stays', async () => {
  const { backend, store, snapshots } = await prepared('abcd', 'aef');
  const objects = backend.snapshot();
  const [data] = namesOf(backend, 'packs/')
    .filter(name => name.includes(`/${snapshots[0]!.id.slice(0, 32)}`))
    .sort((a, b) => objects.get(b)!.length - objects.get(a)!.length);
  objects.set(
    data!,
    objects.get(data!)!.map((byte, i) => (i > 200 && i < 2000 ? byte ^ 1 : byte)),
  );
  const medium = memoryBackend({ objects });
  const result = await drop(await reopenStore(medium), snapshots[0]!);
  assert.equal(result.unreadablePacks, 1);
  assert.ok(namesOf(medium, 'packs/').includes(data!));
  assert.ok(store);
});

test('what a session names stays; one that reads what was forgotten before is in nobody’s way', async () => {
  const { backend, store, snapshots } = await prepared('abc', 'def');
  const { context } = insideOf(store);
  await using pruning = await beginPrune(store, { host: 'beta' });
  const name = `sessions/${'ee'.repeat(32)}`;
  const sayReading = (id: SnapshotId) => {
    const record = { purpose: 'read', host: 'reader', startedMs: 1, snapshots: [id] } as const;
    const session = 'ee'.repeat(32) as SessionId;
    const place = { kind: 'session', session, name, randomness: context.seams.randomness } as const;
    return backend.put(name, sealRecord(context.ring, place, sessionRecord.encode(record)));
  };
  await sayReading(snapshots[0]!.id);
  await pruning.forget([snapshots[0]!.id], { reason: 'a test' });
  assert.equal((await pruning.reclaim()).deletedPacks, 0);
  await backend.delete(name);
  assert.ok((await pruning.reclaim()).deletedPacks > 0);
  await sayReading(snapshots[0]!.id);
  assert.equal((await pruning.reclaim()).deletedPacks, 0);
  await backend.delete(name);
  // What was never there, though, shows that the list is not whole.
  await sayReading('cc'.repeat(32) as SnapshotId);
  await assert.rejects(pruning.reclaim(), { code: 'STORE_IMPLAUSIBLE' });
});

test('every 32nd done lists all packs that were ever swept, and what is older is not read', async () => {
  const { backend, store } = await prepared('a');
  let last = await commitFiles(store, files('a'));
  for (let i = 0; i < 34; i++) {
    const next = await commitFiles(store, new Map([['one', Buffer.from(`content ${i}, `.repeat(40))]]));
    await drop(store, last);
    last = next;
  }
  assert.ok(namesOf(backend, 'gc/').includes('gc/33.done'));
  const objects = backend.snapshot();
  for (let i = 1; i < 32; i++)
    for (const part of ['', '.sweep', '.done']) objects.set(`gc/${i}${part}`, Buffer.from('unreadable'));
  const medium = memoryBackend({ objects });
  const reopened = await reopenStore(medium);
  const session = await reopened.beginBackup({ host: 'alpha' });
  assert.deepEqual(reopened.problems, []);
  await session.abandon();
  const { ring } = insideOf(reopened).context;
  const { fields } = openRecord(ring, await medium.get('gc/33'), { kind: 'generation', name: 'gc/33' });
  assert.equal(generationRecord.decode(fields, 'gc/33').number, 33);
});

test('a mark of what is forgotten that cannot be read drops nothing, until a person decides', async () => {
  const { backend, snapshots } = await prepared('abc', 'def');
  const { id } = snapshots[0]!;
  const mark = `forgotten/${id}`;
  const broken = () => without(backend, objects => objects.set(mark, new Uint8Array()));
  await assertRefused(broken(), 'STORE_DAMAGED');
  const { affected, damage } = await verifyStore(await reopenStore(broken()));
  assert.deepEqual([affected, damage.map(({ object }) => object)], [[id], [mark]]);
  const listed = await collect((await reopenStore(broken())).snapshots());
  assert.deepEqual(
    listed.map(one => one.id),
    snapshots.map(one => one.id),
  );
  await using repair = await beginRepair(await reopenStore(broken()), { host: 'alpha', readData: true });
  assert.deepEqual(
    repair.left.map(({ object, isHarmless }) => [object, isHarmless]),
    [[mark, false]],
  );
  const kept = broken();
  await kept.delete(mark);
  await prune(await reopenStore(kept));
  await checkWhole(kept, snapshots);
  const dropped = broken();
  const store = await reopenStore(dropped);
  await drop(store, snapshots[0]!);
  await prune(store);
  await checkWhole(dropped, [snapshots[1]!]);
});
