import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  appendLedger,
  beginRepair,
  type Extent,
  extentsOf,
  findEntry,
  forgetSnapshot,
  isStoreError,
  type MemoryBackend,
  type Mended,
  memoryBackend,
  type Store,
  setHold,
  storeError,
  verifyStore,
} from '../../store/index.ts';
import { observedBackend, replay } from '../helpers/faulty-backend.ts';
import { checkWhole, copyOf, drop, namesOf, prune } from '../helpers/prune-rig.ts';
import { seededRandomness } from '../helpers/seeded.ts';
import { commitFiles, type SmallSnapshot, smallStore } from '../helpers/small-store.ts';
import { reopenStore } from '../helpers/stores.ts';

/** Mends a store without a hand from outside. */
async function mend(store: Store): Promise<Mended> {
  await using repair = await beginRepair(store, { host: 'alpha', readData: true });
  const mended = await repair.mend();
  const settled = await repair.settle([]);
  return { ...mended, recorded: [...mended.recorded, ...settled] };
}

function flip(backend: MemoryBackend, name: string, at: number): MemoryBackend {
  const objects = new Map(backend.snapshot());
  const bytes = objects.get(name)!.slice();
  bytes.at(at);
  bytes[at < 0 ? bytes.length + at : at]! ^= 0x10;
  return memoryBackend({ objects: objects.set(name, bytes) });
}

function without(backend: MemoryBackend, ...names: string[]): MemoryBackend {
  const objects = new Map(backend.snapshot());
  for (const name of names) objects.delete(name);
  return memoryBackend({ objects });
}

async function made() {
  const backend = memoryBackend();
  return { backend, ...(await smallStore({ backend })) };
}

/** A second repair finds nothing to do, and writes nothing. */
async function checkSettled(backend: MemoryBackend): Promise<void> {
  const before = backend.snapshot();
  assert.deepEqual(await mend(await reopenStore(backend)), { rebuilt: [], recorded: [], healed: [] });
  assert.deepEqual([...backend.snapshot().keys()].sort(), [...before.keys()].sort());
}

test('a repair of a whole store writes nothing', async () => {
  const { backend } = await made();
  await checkSettled(backend);
});

test('an index that is gone, or damaged in part or wholly, is rebuilt from the packs', async () => {
  const { backend, snapshots } = await made();
  const parts = namesOf(backend, 'index/');
  assert.ok(parts.length > 1);
  const all = parts.reduce((broken, name) => flip(broken, name, 110), copyOf(backend));
  for (const broken of [without(backend, ...parts), flip(backend, parts[0]!, 110), all]) {
    const { rebuilt, recorded } = await mend(await reopenStore(broken));
    assert.ok(rebuilt.length > 0);
    assert.deepEqual(recorded, []);
    await checkWhole(broken, snapshots);
    await checkSettled(broken);
  }
});

test('an index part that cannot be read goes once a repair has replaced it', async () => {
  const { backend, snapshots } = await made();
  const part = namesOf(backend, 'index/')[0]!;
  const medium = flip(backend, part, -40);
  await prune(await reopenStore(medium));
  assert.ok(namesOf(medium, 'index/').includes(part));
  await mend(await reopenStore(medium));
  await prune(await reopenStore(medium));
  assert.ok(!namesOf(medium, 'index/').includes(part));
  await checkWhole(medium, snapshots);
});

test('a pack that cannot say what it holds, and that the index lists, is copied into a new one', async () => {
  const { backend, snapshots } = await made();
  for (const name of namesOf(backend, 'packs/')) {
    for (const at of [-3, -30]) {
      const broken = flip(backend, name, at);
      const { healed, recorded } = await mend(await reopenStore(broken));
      assert.deepEqual(
        healed.map(({ object }) => object),
        [name],
      );
      assert.deepEqual(recorded, [{ object: name, frames: 'all', lost: 0 }]);
      await checkWhole(broken, snapshots);
      await checkWhole(without(broken, name), snapshots, { where: 'nothing depends on it any more' });
      await checkSettled(broken);
    }
  }
});

/** Files of all snapshots that can be read, and how many cannot: never other bytes than were stored. */
async function readable(backend: MemoryBackend, snapshots: readonly SmallSnapshot[]): Promise<Set<string>> {
  const store = await reopenStore(backend);
  const found = new Set<string>();
  for (const { id, root, files } of snapshots) {
    for (const [name, bytes] of files) {
      try {
        const entry = await findEntry(store, root, Buffer.from(name));
        const parts: Uint8Array[] = [];
        for await (const extent of extentsOf(store, entry!.contents[0]!)) {
          if (extent.kind === 'inline') parts.push(extent.bytes);
          else if (extent.kind === 'chunk') parts.push(await store.get(extent.id, 'data'));
        }
        assert.deepEqual(Buffer.concat(parts), bytes);
        found.add(`${id} ${name}`);
      } catch (error) {
        assert.ok(isStoreError(error), String(error));
      }
    }
  }
  return found;
}

test('a lost chunk that is put again heals every snapshot that needs it', async () => {
  const { backend, snapshots } = await made();
  const all = await readable(backend, snapshots);
  for (const name of namesOf(backend, 'packs/').filter(one => backend.snapshot().get(one)![5] === 2)) {
    const broken = flip(backend, name, 130);
    await mend(await reopenStore(broken));
    await checkSettled(broken);
    assert.ok((await readable(broken, snapshots)).size < all.size);
    const files = new Map(snapshots[1]!.files);
    await commitFiles(await reopenStore(broken), files);
    assert.deepEqual(await readable(broken, snapshots), all);
    const { damage } = await verifyStore(await reopenStore(broken), { readData: 1 });
    assert.deepEqual(damage, []);
    await checkSettled(broken);
  }
});

/** A store with everything that prunes, holds and the like leave in it. */
async function lived() {
  const backend = memoryBackend();
  const { store, snapshots } = await smallStore({ backend });
  const gone = await commitFiles(store, new Map([['gone', Buffer.from('this goes')]]));
  await drop(store, gone);
  await setHold(store, snapshots[0]!.id, { isHeld: true, reason: 'a test' });
  await appendLedger(store, {
    act: 'verified',
    host: 'alpha',
    isOk: true,
    snapshots: [],
    packs: [],
    detail: null,
  });
  return { backend, snapshots };
}

test('wherever a repair is killed, nothing is worse than before, and the next one ends it', async () => {
  const { backend, snapshots } = await lived();
  const packs = namesOf(backend, 'packs/');
  const ofSession = (names: readonly string[], { id }: SmallSnapshot) =>
    names.filter(name => name.split('/').at(-1)!.startsWith(id.slice(0, 32)));
  const [first, second] = snapshots as [SmallSnapshot, SmallSnapshot];
  const kindOf = (name: string) => backend.snapshot().get(name)![5];
  const dataPack = ofSession(packs, first).find(name => kindOf(name) === 2)!;
  const mutePack = ofSession(packs, first).find(name => kindOf(name) === 3)!;
  const [part] = ofSession(namesOf(backend, 'index/'), second);
  const broken = flip(flip(flip(backend, dataPack, 130), mutePack, -3), part!, 110);
  const before = await readable(broken, snapshots);
  const observed = observedBackend(copyOf(broken));
  const whole = await mend(await reopenStore(observed));
  assert.ok(whole.rebuilt.length * whole.recorded.length * whole.healed.length > 0);
  const { mutations } = observed;
  const isSession = (name: string) => name.startsWith('sessions/');
  assert.ok(
    mutations.every(({ operation, name }) => operation === 'put' || isSession(name)),
    'nothing is deleted',
  );
  for (let count = 0; count <= mutations.length; count++) {
    const cut = replay(mutations.slice(0, count), broken.snapshot());
    assert.deepEqual(await readable(cut, snapshots), before, `after ${count} of ${mutations.length}`);
    await mend(await reopenStore(cut));
    assert.deepEqual(await readable(cut, snapshots), before, `repaired after ${count}`);
    await checkSettled(cut);
  }
});

test('what a repair healed before it was killed is listed by the next one', async () => {
  const { backend, snapshots } = await made();
  const dataPack = namesOf(backend, 'packs/').find(one => backend.snapshot().get(one)![5] === 2)!;
  const broken = flip(backend, dataPack, 130);
  const observed = observedBackend(copyOf(broken));
  let healed = 0;
  {
    await using repair = await beginRepair(await reopenStore(observed), { host: 'alpha', readData: true });
    await repair.mend();
    for (const bytes of snapshots.flatMap(({ files }) => [...files.values()])) {
      const id = repair.idOf(bytes);
      if (bytes.length > 0 && repair.isLost({ id, kind: 'data' }) && (await repair.heal(id, bytes)))
        healed += 1;
    }
    await repair.settle([]);
  }
  assert.ok(healed > 0);
  const { mutations } = observed;
  for (let count = 0; count <= mutations.length; count++) {
    const cut = replay(mutations.slice(0, count), broken.snapshot());
    await mend(await reopenStore(cut));
    const { damage } = await verifyStore(await reopenStore(cut));
    const unlisted = damage.filter(({ kind }) => kind === 'index');
    assert.deepEqual(unlisted, [], `after ${count} of ${mutations.length}`);
  }
});

test('bytes that are wrong anywhere are never given out, and a repair leaves nothing for a second one', async () => {
  const { backend, snapshots } = await lived();
  const { bytes: random } = seededRandomness('flips');
  const names = [...backend.snapshot().keys()]
    .filter(name => name !== 'config' && !name.startsWith('keys/'))
    .sort();
  const below = (count: number) => Buffer.from(random(4)).readUInt32LE() % count;
  for (let round = 0; round < 12; round++) {
    let broken = copyOf(backend);
    const flips: string[] = [];
    for (let i = below(3); i >= 0; i--) {
      const name = names[below(names.length)]!;
      const at = below(backend.snapshot().get(name)!.length);
      broken = flip(broken, name, at);
      flips.push(`${name} ${at}`);
    }
    const before = await readable(broken, snapshots);
    await mend(await reopenStore(broken));
    const after = await readable(broken, snapshots);
    assert.deepEqual(
      [...before].filter(file => !after.has(file)),
      [],
      flips.join(', '),
    );
    await checkSettled(broken);
  }
});

test('a generation that nobody can read any more stops no backup after a repair', async () => {
  const { backend, snapshots } = await lived();
  const open = without(backend, 'gc/1.sweep', 'gc/1.done');
  const broken = flip(open, 'gc/1', 120);
  const store = await reopenStore(broken);
  await assert.rejects(commitFiles(store, snapshots[0]!.files), { code: 'STORE_DAMAGED' });
  const { rebuilt } = await mend(await reopenStore(broken));
  assert.deepEqual(
    rebuilt.map(({ object }) => object),
    ['gc/1.sweep'],
  );
  await checkSettled(broken);
  const more = await commitFiles(await reopenStore(broken), snapshots[0]!.files);
  await prune(await reopenStore(broken));
  const { damage } = await verifyStore(await reopenStore(broken), { readData: 1 });
  assert.ok(damage.every(({ object }) => object === 'gc/1'));
  assert.equal(
    (await readable(broken, [...snapshots, more])).size,
    (await readable(backend, snapshots)).size + more.files.size,
  );
});

test('a decision that nobody can read any more is ended: what is whole in its packs is copied first', async () => {
  const backend = memoryBackend();
  const { store, snapshots } = await smallStore({ backend });
  const gone = await commitFiles(
    store,
    new Map([...snapshots[0]!.files, ['gone', Buffer.from('this goes')]]),
  );
  await forgetSnapshot(store, gone.id, { reason: 'a test' });
  const before = backend.snapshot();
  const observed = observedBackend(backend);
  await prune(await reopenStore(observed));
  const decided = observed.mutations.findIndex(({ name }) => name === 'gc/1.sweep');
  for (const count of [decided + 1, observed.mutations.length - 4]) {
    const open = without(replay(observed.mutations.slice(0, count), before), 'gc/1.done');
    const broken = flip(open, 'gc/1.sweep', 120);
    await assert.rejects(prune(await reopenStore(broken)), { code: 'STORE_DAMAGED' });
    const { rebuilt, recorded } = await mend(await reopenStore(broken));
    assert.ok(rebuilt.some(({ object }) => object === 'gc/1.done'));
    const going = namesOf(broken, 'packs/').filter(name => before.has(name) && !backend.snapshot().has(name));
    assert.ok(
      going.every(name => recorded.some(({ object, frames }) => object === name && frames === 'all')),
    );
    if (going.length === 2)
      assert.equal((await readable(without(broken, ...going), [gone])).size, gone.files.size);
    await checkSettled(broken);
    const files = new Map([...snapshots[0]!.files, ['gone', Buffer.from('this goes')]]);
    const again = await commitFiles(await reopenStore(broken), files);
    // A hand that slept goes on with what it had decided.
    for (const name of namesOf(broken, 'packs/'))
      if (!backend.snapshot().has(name) && before.has(name)) await broken.delete(name);
    await prune(await reopenStore(broken));
    const all = [...snapshots, again];
    const expected = all.reduce((sum, one) => sum + one.files.size, 0);
    assert.equal((await readable(broken, all)).size, expected, `after ${count}`);
  }
  const lost = flip(
    flip(replay(observed.mutations.slice(0, decided + 1), before), 'gc/1.sweep', 120),
    'gc/1',
    120,
  );
  await using repair = await beginRepair(await reopenStore(lost), { host: 'alpha', readData: true });
  assert.deepEqual(
    repair.left.filter(({ isHarmless }) => !isHarmless).map(({ object }) => object),
    ['gc/1.sweep'],
  );
});

test('a repair beside a prune stops rather than take for lost what was moved', async () => {
  const { backend } = await made();
  const store = await reopenStore(backend);
  await using repair = await beginRepair(store, { host: 'alpha', readData: true });
  await repair.mend();
  await drop(store, await commitFiles(store, new Map([['gone', Buffer.from('this goes')]])));
  await assert.rejects(repair.settle([]), { code: 'STORE_LOCKED' });
});

test('a chunk that several snapshots have lost is recorded once, and the record can be read', async () => {
  const { backend, snapshots } = await made();
  const packs = namesOf(backend, 'packs/').filter(one => backend.snapshot().get(one)![5] === 2);
  const broken = without(backend, ...packs);
  const store = await reopenStore(broken);
  const extents: Extent[] = [];
  for (const { root } of snapshots) {
    const { contents } = (await findEntry(store, root, Buffer.from('etc/hosts')))!;
    for await (const extent of extentsOf(store, contents[0]!)) extents.push(extent);
  }
  const lost = extents.flatMap(one => (one.kind === 'chunk' ? [{ id: one.id, kind: 'data' as const }] : []));
  assert.equal(lost.length, 2);
  const settle = async () => {
    await using repair = await beginRepair(await reopenStore(broken), { host: 'alpha', readData: true });
    await repair.mend();
    return repair.settle(lost);
  };
  assert.deepEqual(
    (await settle()).map(({ lost }) => lost),
    [1],
  );
  const { damage } = await verifyStore(await reopenStore(broken), { readData: 1 });
  assert.deepEqual(
    damage.filter(({ kind }) => kind === 'damage'),
    [],
  );
  assert.deepEqual(await settle(), []);
});

test('a session that names a snapshot twice can be read', async () => {
  const { store, snapshots } = await made();
  const { id } = snapshots[0]!;
  await using _reading = await store.beginReading({ host: 'alpha', snapshots: [id, id] });
  const { damage } = await verifyStore(store);
  assert.deepEqual(damage, []);
});

test('what may not be read ends verify and repair, and is neither damage nor recorded', async () => {
  const { backend } = await made();
  const forbidden = storeError('STORE_READ_FAILED', 'Cannot read: permission denied', {
    context: { errno: 'EACCES' },
  });
  const names = ['packs/', 'manifests/', 'index/'].flatMap(prefix => namesOf(backend, prefix));
  for (const name of names) {
    const medium = observedBackend(copyOf(backend), call =>
      call.operation === 'get' && call.name === name ? { when: 'before', error: forbidden } : undefined,
    );
    const refused = { code: 'STORE_READ_FAILED' };
    await assert.rejects(async () => verifyStore(await reopenStore(medium), { readData: 1 }), refused, name);
    await assert.rejects(async () => mend(await reopenStore(medium)), refused, name);
    const written = medium.mutations.filter(one => !one.name.startsWith('sessions/'));
    assert.deepEqual(written, [], name);
  }
});

test('a damaged index part that another replaces, and a manifest of what was forgotten, are named all the same, as harmless', async () => {
  const { backend, store, snapshots } = await made();
  const part = namesOf(backend, 'index/')[0]!;
  const broken = flip(backend, part, -40);
  const before = await verifyStore(await reopenStore(broken));
  assert.deepEqual(before.left, [], 'nothing replaces it yet');
  await using repair = await beginRepair(await reopenStore(broken), { host: 'alpha', readData: true });
  await repair.mend();
  assert.deepEqual(repair.replaced, [part]);
  const [first] = snapshots;
  await using _reading = await store.beginReading({ host: 'alpha', snapshots: [first!.id] });
  const kept = memoryBackend({ objects: backend.snapshot() });
  await forgetSnapshot(await reopenStore(kept), first!.id, { reason: 'a test' });
  for (const [medium, name] of [
    [broken, part],
    [flip(kept, `manifests/${first!.id}`, -40), `manifests/${first!.id}`],
  ] as const) {
    const { isOk, damage, left, affected } = await verifyStore(await reopenStore(medium), { readData: 1 });
    assert.deepEqual([isOk, damage.map(({ object }) => object), affected], [false, [name], []]);
    assert.deepEqual(
      left.map(({ object, isHarmless }) => [object, isHarmless]),
      [[name, true]],
    );
    await checkSettled(medium);
  }
});
