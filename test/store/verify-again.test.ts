import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Backend,
  beginRepair,
  forgetSnapshot,
  type MemoryBackend,
  memoryBackend,
  type PackId,
  readLedger,
  type Seams,
  StillpointError,
  type Store,
  storeError,
  systemSeams,
  type VerifyOptions,
  type VerifyResult,
  verifyStore,
} from '../../store/index.ts';
import { putRecord } from '../../store/protocol/note.ts';
import { doneRecord, generationRecord } from '../../store/protocol/records.ts';
import { insideOf } from '../../store/store.ts';
import { observedBackend } from '../helpers/faulty-backend.ts';
import { drop, namesOf, prune } from '../helpers/prune-rig.ts';
import { commitFiles, smallStore } from '../helpers/small-store.ts';
import { makeStore, reopenStore } from '../helpers/stores.ts';

const dayMs = 86_400_000;

/** A wall clock that stands where it is put. */
function calendar() {
  const time = { nowMs: Date.UTC(2026, 0, 1, 2) };
  const clock = { ...systemSeams.clock, nowMs: () => time.nowMs };
  return Object.assign(time, { seams: { ...systemSeams, clock } satisfies Seams });
}

/** Counts the bytes that are read of packs. */
function counting(backend: MemoryBackend): { readonly backend: Backend; packBytes: number } {
  const counted = {
    packBytes: 0,
    backend: {
      ...backend,
      async get(name: string, options?: Parameters<Backend['get']>[1]) {
        const bytes = await backend.get(name, options);
        if (name.startsWith('packs/')) counted.packBytes += bytes.length;
        return bytes;
      },
    },
  };
  return counted;
}

const verify = (store: Store, options: VerifyOptions = {}): Promise<VerifyResult> =>
  verifyStore(store, { noteAs: 'alpha', ...options });
const packOf = (name: string) => name.slice(-64) as PackId;
const dataPacks = (backend: MemoryBackend): string[] =>
  namesOf(backend, 'packs/').filter(name => backend.snapshot().get(name)![5] === 2);

function flipped(bytes: Uint8Array): Uint8Array {
  const wrong = bytes.slice();
  wrong[120]! ^= 1;
  return wrong;
}

async function manyPacks(seams: Seams, packs = 6) {
  const backend = memoryBackend();
  const store = await makeStore({ backend, seams });
  const snapshots = [];
  for (let i = 0; i < packs; i++)
    snapshots.push(await commitFiles(store, new Map([['a', Buffer.from(`content ${i} `.repeat(9))]])));
  return { backend, store, snapshots };
}

test('a second verification reads no pack’s own list again, and each snapshot anew', async () => {
  const backend = memoryBackend();
  const small = await smallStore({ backend });
  const counted = counting(backend);
  const store = await reopenStore(counted.backend);
  const first = await verify(store);
  const firstBytes = counted.packBytes;
  counted.packBytes = 0;
  const second = await verify(store);
  assert.ok(counted.packBytes < firstBytes, `${counted.packBytes} after ${firstBytes} bytes`);
  assert.equal(second.snapshots.length, first.snapshots.length);
  const ledger = await readLedger(store);
  for (const { id } of small.snapshots) assert.ok(ledger.verifiedAtMs(id) !== null);
});

test('who is not asked to note anything writes nothing', async () => {
  const backend = memoryBackend();
  await smallStore({ backend });
  const before = [...backend.snapshot().keys()];
  const { noted } = await verifyStore(await reopenStore(backend), { readData: 1 });
  assert.equal(noted, undefined);
  assert.deepEqual([...backend.snapshot().keys()], before);
});

test('within 30 days every byte is read again, a part each day, and what is new on the next', async () => {
  const time = calendar();
  const { backend, store, snapshots } = await manyPacks(time.seams);
  const all = namesOf(backend, 'packs/').map(packOf);
  const first = await verify(store, { readData: 'due' });
  assert.equal(first.scrub.read.packs, all.length);
  assert.deepEqual(first.scrub.due, { packs: 0, bytes: 0 });
  assert.equal((await verify(store, { readData: 'due' })).scrub.read.packs, 0, 'nothing is due at once');
  const readPerDay: number[] = [];
  for (let day = 1; day <= 30; day++) {
    time.nowMs += dayMs;
    const { scrub } = await verify(store, { readData: 'due', snapshots: [snapshots[0]!.id] });
    readPerDay.push(scrub.read.packs);
    assert.equal(scrub.overdue.packs, 0, `day ${day}`);
    assert.ok(time.nowMs - scrub.oldestReadMs! <= 30 * dayMs);
  }
  assert.equal(
    readPerDay.reduce((sum, packs) => sum + packs, 0),
    all.length,
    'each once',
  );
  assert.ok(Math.max(...readPerDay) < all.length, 'not all on one day');
  await commitFiles(store, new Map([['b', Buffer.from('new content')]]));
  const fresh = namesOf(backend, 'packs/').length - all.length;
  const next = await verify(store, { readData: 'due' });
  assert.equal(next.scrub.read.packs, fresh);
});

test('what nobody read for a month is a debt, with the age of the oldest', async () => {
  const time = calendar();
  const { backend, store } = await manyPacks(time.seams, 2);
  const packs = namesOf(backend, 'packs/').length;
  const never = await verify(store);
  assert.equal(never.scrub.neverRead.packs, packs);
  assert.equal(never.scrub.overdue.packs, packs);
  assert.equal(never.scrub.oldestReadMs, null);
  const readMs = time.nowMs;
  await verify(store, { readData: 1 });
  time.nowMs += 31 * dayMs;
  const { scrub } = await verify(store);
  assert.deepEqual(scrub.overdue, scrub.all);
  assert.deepEqual(scrub.neverRead, { packs: 0, bytes: 0 });
  assert.equal(scrub.oldestReadMs, readMs);
});

test('a clock that was ahead proves nothing: what it noted is read again', async () => {
  const time = calendar();
  const { store } = await manyPacks(time.seams, 1);
  time.nowMs += 400 * dayMs;
  await verify(store, { readData: 1 });
  time.nowMs -= 400 * dayMs;
  const { scrub } = await verify(store, { readData: 'due' });
  assert.deepEqual(scrub.read, scrub.all);
});

test('a verification that runs out of time ends well, says what waits, and the next goes on', async () => {
  const time = calendar();
  const { backend, store, snapshots } = await manyPacks(time.seams);
  const packs = namesOf(backend, 'packs/').length;
  const order: string[] = [];
  for (let run = 1; ; run++) {
    const { isOk, scrub, waiting } = await verify(store, {
      readData: 'due',
      maxDurationMs: 1e-6,
      check: async ({ id }) => void order.push(id),
    });
    assert.equal(isOk, true);
    assert.ok(run > 1 || waiting.length > 0);
    assert.deepEqual([scrub.read.packs, scrub.due.packs], [1, packs - run]);
    if (scrub.due.packs === 0) break;
  }
  assert.equal(order[0], snapshots.at(-1)!.id, 'the newest first');
  const whole = await verify(store, {
    readData: 'due',
    maxDurationMs: 60_000,
    check: async ({ id }) => void order.push(id),
  });
  assert.deepEqual(whole.waiting, []);
  assert.equal(whole.snapshots.length + whole.notDue, snapshots.length);
  assert.equal(whole.scrub.read.packs, 0);
  const ends = [snapshots.at(-1)!.id, snapshots[0]!.id];
  assert.deepEqual(order.slice(-whole.snapshots.length).slice(0, 2), ends);
});

test('a pack that was cut short after it was read is found at once', async () => {
  const { backend, store } = await manyPacks(systemSeams, 2);
  await verify(store, { readData: 1 });
  for (const name of namesOf(backend, 'packs/'))
    for (const change of [-1, 1]) {
      const objects = backend.snapshot();
      const bytes = objects.get(name)!;
      objects.set(name, change < 0 ? bytes.subarray(0, -1) : Buffer.concat([bytes, Buffer.alloc(1)]));
      const { damage } = await verify(await reopenStore(memoryBackend({ objects })));
      assert.deepEqual([...new Set(damage.map(({ object }) => object))], [name]);
    }
});

test('what is read always reads what is remembered, too, and what it finds is remembered no more', async () => {
  const { backend, store, snapshots } = await manyPacks(systemSeams, 2);
  await verify(store, { readData: 1 });
  const [name] = dataPacks(backend);
  const objects = backend.snapshot();
  objects.set(name!, flipped(objects.get(name!)!));
  const damaged = memoryBackend({ objects });
  const again = await reopenStore(damaged);
  assert.equal((await verify(again, { readData: 'due' })).isOk, true, 'it is not due');
  const found = await verify(again, { readData: 1 });
  assert.deepEqual([found.isOk, found.damage.map(({ object }) => object)], [false, [name]]);
  const ledger = await readLedger(again);
  assert.equal(ledger.readAtMs(packOf(name!)), null);
  const [affected] = found.affected;
  assert.equal(ledger.verifiedAtMs(affected!), null);
  for (const { id } of snapshots) if (id !== affected) assert.ok(ledger.verifiedAtMs(id) !== null);
});

test('a store from which every manifest is gone is not whole, as far as anybody verified what it held', async () => {
  const { backend, store, snapshots } = await manyPacks(systemSeams, 2);
  await verify(store, {});
  const objects = backend.snapshot();
  for (const name of namesOf(backend, 'manifests/')) objects.delete(name);
  const { isOk, damage } = await verify(await reopenStore(memoryBackend({ objects })), {});
  const missed = snapshots.map(({ id }) => `manifests/${id}`);
  assert.deepEqual([isOk, damage.map(({ object }) => object).sort()], [false, missed.sort()]);
});

test('damage that is there twice is recorded, and the next backup stores again what was lost', async () => {
  const { backend } = await manyPacks(systemSeams, 1);
  const [name] = dataPacks(backend);
  for (const change of ['flipped', 'gone', 'short']) {
    const objects = backend.snapshot();
    const bytes = objects.get(name!)!;
    if (change === 'gone') objects.delete(name!);
    else objects.set(name!, change === 'flipped' ? flipped(bytes) : bytes.subarray(0, 130));
    const damaged = memoryBackend({ objects });
    const store = await reopenStore(damaged);
    const { isOk } = await verify(store, { readData: 1 });
    assert.equal(isOk, false);
    assert.equal(namesOf(damaged, 'damage/').length, 1, change);
    await verify(store, { readData: 1 });
    assert.equal(namesOf(damaged, 'damage/').length, 1, 'once');
    const content = Buffer.from('content 0 '.repeat(9));
    await commitFiles(await reopenStore(damaged), new Map([['a', content]]), { note: 'again' });
    const healed = await verify(await reopenStore(damaged), { readData: 1 });
    assert.deepEqual([healed.isOk, healed.damage, healed.affected], [true, [], []], change);
    assert.equal(healed.scrub.neverRead.packs, 0, `${change}: what is known counts as read`);
    assert.deepEqual(
      healed.harmless.map(({ object }) => object),
      [name],
      change,
    );
  }
});

test('what was recorded as damaged and put back is whole', async () => {
  const { backend } = await manyPacks(systemSeams, 1);
  const [name] = dataPacks(backend);
  const objects = backend.snapshot();
  const damaged = memoryBackend({ objects: new Map(objects).set(name!, flipped(objects.get(name!)!)) });
  assert.equal((await verify(await reopenStore(damaged), { readData: 1 })).isOk, false);
  const put = damaged.snapshot().set(name!, objects.get(name!)!);
  for (const readData of [0, 1])
    assert.equal((await verify(await reopenStore(memoryBackend({ objects: put })), { readData })).isOk, true);
});

test('a passing mistake of the medium is told, and recorded by nobody', async () => {
  const { backend } = await manyPacks(systemSeams, 1);
  const [name] = dataPacks(backend);
  const mistakes: ((bytes: Uint8Array) => Uint8Array)[] = [
    bytes => bytes.map((byte, i) => (i === 20 ? byte ^ 1 : byte)),
    () => {
      throw new StillpointError('STORE_READ_FAILED', 'Cannot read: the cable is loose');
    },
  ];
  for (const mistake of mistakes) {
    let left = 1;
    const shaky: Backend = {
      ...backend,
      async get(object, options = {}) {
        const bytes = await backend.get(object, options);
        return object === name && options.offset === 96 && left-- > 0 ? mistake(bytes) : bytes;
      },
    };
    const { unsteady } = await verify(await reopenStore(shaky), { readData: 1 });
    assert.deepEqual(unsteady, [name]);
    assert.deepEqual(namesOf(backend, 'damage/'), []);
  }
});

test('a pack that is missing from one list is not recorded', async () => {
  const { backend } = await manyPacks(systemSeams, 1);
  const [name] = dataPacks(backend);
  let lists = 0;
  const forgetful: Backend = {
    ...backend,
    async *list(prefix, options) {
      const isFirst = prefix === '' && lists++ === 0;
      for await (const object of backend.list(prefix, options))
        if (!isFirst || object.name !== name) yield object;
    },
  };
  const { unsteady } = await verify(await reopenStore(forgetful));
  assert.deepEqual(unsteady, [name]);
  assert.deepEqual(namesOf(backend, 'damage/'), []);
});

test('a store that cannot be written is verified, and says that nothing was noted', async () => {
  const { backend } = await manyPacks(systemSeams, 1);
  const [name] = dataPacks(backend);
  const before = [...backend.snapshot().keys()];
  const objects = backend.snapshot();
  const readOnly = memoryBackend({ objects: objects.set(name!, flipped(objects.get(name!)!)) });
  const refuse = () => Promise.reject(new StillpointError('STORE_WRITE_FAILED', 'Cannot write: read-only'));
  const store = await reopenStore({ ...readOnly, put: refuse });
  for (const readData of [0, 1]) {
    const { isOk, noted } = await verify(store, { readData });
    assert.equal(isOk, readData === 0);
    assert.equal(noted?.isDone, false);
  }
  assert.deepEqual([...readOnly.snapshot().keys()], before);
});

test('what a prune takes while the bytes are read is no damage, and what was read is not read twice', async () => {
  const { backend, store, snapshots } = await manyPacks(systemSeams, 3);
  let isPruned = false;
  const reader = await reopenStore(backend);
  const {
    isOk,
    damage,
    snapshots: left,
  } = await verify(reader, {
    readData: 1,
    check: async () => {
      if (isPruned) return undefined;
      isPruned = true;
      await forgetSnapshot(store, snapshots[0]!.id, { reason: 'test' });
      await prune(store);
      return undefined;
    },
  });
  assert.deepEqual(damage, []);
  assert.equal(isOk, true);
  assert.ok(isPruned && left.length >= 2);
});

test('what was read is noted when the run is ended', async () => {
  const { backend, store } = await manyPacks(systemSeams);
  const controller = new AbortController();
  const ended = verify(store, {
    readData: 1,
    signal: controller.signal,
    onProgress: ({ phase, done }) => phase === 'data' && done > 0 && controller.abort(new Error('stop')),
  });
  await assert.rejects(ended, { message: 'stop' });
  const ledger = await readLedger(store);
  const read = namesOf(backend, 'packs/').filter(name => ledger.readAtMs(packOf(name)) !== null);
  assert.equal(read.length, 1);
});

test('what a medium fails to read of the index is no missing chunk, and real damage beside it is named', async () => {
  const { backend, snapshots } = await manyPacks(systemSeams, 3);
  const [unread, damaged, whole] = snapshots.map(({ id }) => id);
  const of = (prefix: string, id: string) =>
    namesOf(backend, prefix).filter(name => name.slice(-64).startsWith(id.slice(0, 32)));
  const [part] = of('index/', unread!);
  const packs = of('packs/', unread!);
  const [broken] = dataPacks(backend).filter(name => of('packs/', damaged!).includes(name));
  const objects = backend.snapshot();
  objects.set(broken!, flipped(objects.get(broken!)!));
  const error = storeError('STORE_READ_FAILED', 'Cannot read: the medium failed', {
    context: { errno: 'EIO' },
  });
  let isFailing = true;
  const fails = (name: string) => isFailing && (name === part || packs.includes(name));
  for (const [medium, isReal] of [
    [backend, false],
    [memoryBackend({ objects }), true],
  ] as const) {
    isFailing = true;
    const failing = observedBackend(medium, ({ operation, name }) =>
      operation === 'get' && fails(name) ? { when: 'before', error } : undefined,
    );
    const store = await reopenStore(failing);
    const { damage, failure, affected, culprits } = await verify(store, { readData: 1 });
    assert.equal(failure?.code, 'STORE_READ_FAILED');
    assert.ok(failure.message.includes(part!), 'names what could not be read');
    const sure = damage.filter(one => !one.mayBeWhole).map(({ object }) => object);
    assert.deepEqual(sure, isReal ? [broken] : [], 'and nothing that is only not to be found');
    assert.ok(affected.includes(unread!) && !affected.includes(whole!));
    const [root] = (await store.manifest(unread!)).roots;
    assert.deepEqual([...(await culprits(root!))].sort(), [part, ...packs].sort());
    // Nothing is given up for it: a repair neither records nor replaces what the medium may give again.
    await using repair = await beginRepair(store, { host: 'alpha', readData: false });
    assert.deepEqual([repair.isLost(root!), repair.isUnreadable(root!.id)], [true, true]);
    await repair.mend();
    assert.deepEqual(repair.replaced, []);
    isFailing = false;
    const later = await verify(await reopenStore(medium), { readData: 1 });
    assert.equal(later.failure, undefined);
    assert.deepEqual(later.affected, isReal ? [damaged] : []);
  }
});

test('what a finished sweep took is not missing when that sweep cannot be read, and what is needed is', async () => {
  const { backend, store, snapshots } = await manyPacks(systemSeams, 3);
  const [first, kept] = snapshots;
  const packOfRun = ({ id }: { readonly id: string }) =>
    dataPacks(backend).find(name => packOf(name).startsWith(id.slice(0, 32)))!;
  const taken = packOfRun(first!);
  const before = namesOf(backend, 'index/');
  await drop(store, first!);
  assert.ok(!backend.snapshot().has(taken));
  for (const broken of [['gc/1.sweep'], ['gc/1.sweep', 'gc/1'], ['gc/1.sweep', 'gc/1', 'gc/1.done']]) {
    const objects = backend.snapshot();
    for (const name of broken) objects.set(name, flipped(objects.get(name)!));
    const { damage, left, affected } = await verify(await reopenStore(memoryBackend({ objects })));
    assert.deepEqual(damage.map(({ object }) => object).sort(), [...broken].sort());
    assert.ok(left.length === broken.length && left.every(one => one.isHarmless));
    assert.deepEqual(affected, []);
  }
  // Where nobody can tell what the later parts left out, what the generation had proposed says it.
  const later = namesOf(backend, 'index/').filter(name => !before.includes(name));
  assert.ok(later.length > 0);
  const blind = backend.snapshot();
  for (const name of ['gc/1.sweep', ...later]) blind.set(name, flipped(blind.get(name)!));
  const unlisted = await verify(await reopenStore(memoryBackend({ objects: blind })));
  assert.deepEqual(unlisted.damage.map(({ object }) => object).sort(), ['gc/1.sweep', ...later].sort());
  // A generation that says of a pack that something needs that it goes.
  const needed = packOfRun(kept!);
  const { context } = insideOf(store);
  const record = {
    number: 2,
    createdMs: 0,
    dead: [packOf(needed)],
    rewritten: [],
    orphans: [],
    indexParts: [],
  };
  await putRecord(context, { name: 'gc/2', kind: 'generation', codec: generationRecord, record }, {});
  await putRecord(
    context,
    { name: 'gc/2.done', kind: 'done', codec: doneRecord, record: { number: 2, allSwept: undefined } },
    {},
  );
  const objects = backend.snapshot();
  objects.set('gc/2.sweep', Buffer.from('damaged'));
  objects.delete(needed);
  const { damage, affected } = await verify(await reopenStore(memoryBackend({ objects })));
  assert.deepEqual(damage.map(({ object }) => object).sort(), ['gc/2.sweep', needed].sort());
  assert.deepEqual(affected, [kept!.id]);
});
