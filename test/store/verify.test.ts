import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type ChunkId,
  type ChunkRef,
  findEntry,
  hex,
  memoryBackend,
  type SnapshotId,
  systemSeams,
  type VerifyProgress,
  verifyStore,
} from '../../store/index.ts';
import { insideOf } from '../../store/store.ts';
import { collect } from '../helpers/collect.ts';
import { commitFiles, smallStore } from '../helpers/small-store.ts';
import { makeStore, reopenStore } from '../helpers/stores.ts';

async function made() {
  const backend = memoryBackend();
  const { snapshots, store } = await smallStore({ backend });
  return { objects: backend.snapshot(), snapshots, store };
}

function without(objects: ReadonlyMap<string, Uint8Array>, name: string): Map<string, Uint8Array> {
  const rest = new Map(objects);
  rest.delete(name);
  return rest;
}

const openObjects = (objects: ReadonlyMap<string, Uint8Array>) => reopenStore(memoryBackend({ objects }));
const namesOf = (objects: ReadonlyMap<string, Uint8Array>, prefix: string) =>
  [...objects.keys()].filter(name => name.startsWith(prefix));

test('a whole store has no damage', async () => {
  const { objects, snapshots } = await made();
  const store = await openObjects(objects);
  for (const readData of [0, 1]) {
    const result = await verifyStore(store, { readData });
    assert.deepEqual(result.damage, []);
    assert.equal(result.isOk, true);
    assert.deepEqual(result.snapshots.map(({ id }) => id).sort(), snapshots.map(({ id }) => id).sort());
    assert.deepEqual(result.affected, []);
    assert.ok(result.chunksChecked > 0 && result.bytesRead > 0);
    assert.equal(result.objects, objects.size);
  }
});

test('what needs a newer program ends a verification, or is passed over where that is asked for, with nothing noted', async () => {
  const { objects, snapshots } = await made();
  const { blake3 } = insideOf(await openObjects(objects)).context.ring;
  const names = [`holds/${snapshots[0]!.id}.1`, `manifests/${'0'.repeat(64)}`, `index/${'0'.repeat(64)}`];
  for (const name of names) {
    const later = objects.get(`manifests/${snapshots[0]!.id}`)!.slice();
    later[4] = 2;
    later.set(blake3.hash(later.subarray(0, 80)).subarray(0, 16), 80);
    const backend = memoryBackend({ objects: new Map([...objects, [name, later]]) });
    const store = await reopenStore(backend);
    await assert.rejects(verifyStore(store), { code: 'STORE_NEWER' }, name);
    const result = await verifyStore(store, { goesPastNewer: true, noteAs: 'alpha', readData: 1 });
    assert.deepEqual(
      [result.isOk, result.damage, result.newer.map(({ object }) => object), result.noted?.isDone],
      [false, [], [name], false],
    );
    assert.equal(result.snapshots.length, snapshots.length);
    assert.deepEqual(namesOf(backend.snapshot(), 'ledger/'), []);
  }
});

test('every byte of a store is read when all data is asked for', async () => {
  const { objects } = await made();
  const seen = new Map<string, Uint8Array>();
  const whole = memoryBackend({ objects });
  const store = await reopenStore({
    ...whole,
    async get(name, options = {}) {
      const bytes = await whole.get(name, options);
      const marks = seen.get(name) ?? new Uint8Array(objects.get(name)!.length);
      seen.set(name, marks.fill(1, options.offset ?? 0, (options.offset ?? 0) + bytes.length));
      return bytes;
    },
  });
  seen.clear();
  await verifyStore(store, { readData: 1 });
  for (const name of objects.keys())
    assert.ok(
      seen.get(name)?.every(mark => mark === 1),
      name,
    );
});

test('a missing pack is named, with the snapshots that need it and nothing else', async () => {
  const { objects, snapshots } = await made();
  const [first, second] = snapshots;
  const newest = namesOf(objects, 'packs/').filter(name => name.includes(second!.id.slice(0, 32)));
  const older = namesOf(objects, 'packs/').filter(name => !newest.includes(name));
  for (const name of newest) {
    const { damage, affected } = await verifyStore(await openObjects(without(objects, name)));
    assert.deepEqual(
      damage.map(({ object }) => object),
      [name],
    );
    assert.deepEqual(affected, [second!.id]);
  }
  for (const name of older) {
    const { damage, affected } = await verifyStore(await openObjects(without(objects, name)));
    assert.ok(damage.some(({ object }) => object === name));
    assert.ok(affected.includes(first!.id));
  }
});

test('a pack that is cut short, or goes on, is named', async () => {
  const { objects } = await made();
  for (const name of namesOf(objects, 'packs/')) {
    const bytes = objects.get(name)!;
    for (const wrong of [
      bytes.subarray(0, 50),
      bytes.subarray(0, -1),
      Buffer.concat([bytes, Buffer.alloc(1)]),
    ]) {
      const { damage } = await verifyStore(await openObjects(new Map(objects).set(name, wrong)));
      assert.ok(
        damage.some(({ object }) => object === name),
        `${wrong.length} of ${bytes.length} bytes`,
      );
    }
  }
});

test('packs in each other’s place cost every snapshot that needs them, whichever is longer', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const random = (bytes: number) => new Map([['a', Buffer.from(systemSeams.randomness.bytes(bytes))]]);
  const snapshots = [await commitFiles(store, random(70_000)), await commitFiles(store, random(90_000))];
  const objects = backend.snapshot();
  const large = namesOf(objects, 'packs/').filter(name => objects.get(name)!.length > 50_000);
  const [one, other] = large as [string, string];
  const swapped = new Map([...objects, [one, objects.get(other)!], [other, objects.get(one)!]]);
  const { affected, damage } = await verifyStore(await openObjects(swapped));
  assert.deepEqual(damage.map(({ object }) => object).sort(), large.sort());
  assert.deepEqual([...affected].sort(), snapshots.map(({ id }) => id).sort());
});

test('chunks that are lost can be told from those that are whole', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const old = await commitFiles(store, new Map([['a', Buffer.from('first content')]]));
  const files = new Map([...old.files, ['b', Buffer.from('second content')]]);
  const both = await commitFiles(store, files);
  const chunkOf = async (key: string): Promise<ChunkId> => {
    const entry = await findEntry(store, both.root, Buffer.from(key));
    const content = entry!.contents[0]!;
    const extent = 'extents' in content ? content.extents[0] : undefined;
    return extent?.kind === 'chunk' ? extent.id : assert.fail('no chunk');
  };
  const [kept, lost] = [await chunkOf('a'), await chunkOf('b')];
  const packs = namesOf(backend.snapshot(), `packs/`).filter(name => name.includes(both.id.slice(0, 32)));
  for (const pack of packs) {
    const objects = backend.snapshot();
    const flipped = objects.get(pack)!.slice();
    flipped[120]! ^= 1;
    const result = await verifyStore(await openObjects(objects.set(pack, flipped)), { readData: 1 });
    const [damage] = result.damage;
    assert.equal(damage!.object, pack);
    assert.deepEqual(await result.culprits({ id: kept, kind: 'data' }), []);
    assert.deepEqual(
      await result.culprits({ id: lost, kind: 'data' }),
      damage!.kind === 'data-pack' ? [pack] : [],
    );
    assert.deepEqual(result.affected, [both.id]);
    const refs: ChunkRef[] = [old.root, both.root].map(({ id }) => ({ id, kind: 'node' }));
    assert.deepEqual(await Promise.all(refs.map(ref => result.culprits(ref))), [[], [pack]]);
  }
});

test('a chunk with another whole copy is not lost', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const both = [await store.beginBackup({ host: 'alpha' }), await store.beginBackup({ host: 'beta' })];
  let id: ChunkId | undefined;
  for (const session of both) {
    id = await session.put(Buffer.from('stored twice'), 'data');
    await session.commit({ roots: [{ id, kind: 'data' }], body: null });
  }
  const [pack] = namesOf(backend.snapshot(), 'packs/');
  const result = await verifyStore(await openObjects(without(backend.snapshot(), pack!)), { readData: 1 });
  assert.deepEqual(
    result.damage.map(({ object }) => object),
    [pack],
  );
  assert.deepEqual(result.affected, []);
  assert.deepEqual(await result.culprits({ id: id!, kind: 'data' }), []);
});

test('a missing chunk is named when no pack should have it', async () => {
  const { objects, snapshots } = await made();
  const packs = namesOf(objects, 'packs/').filter(name => name.includes(snapshots[1]!.id.slice(0, 32)));
  const parts = namesOf(objects, 'index/').filter(name => name.includes(snapshots[1]!.id.slice(0, 32)));
  const rest = [...packs, ...parts].reduce(without, objects);
  const { damage, affected } = await verifyStore(await openObjects(rest));
  assert.deepEqual(
    damage.map(({ kind, object }) => [kind, object]),
    [['chunk', hex(snapshots[1]!.root.id)]],
  );
  assert.deepEqual(affected, [snapshots[1]!.id]);
});

test('packs that a lost index part listed are named, and nothing is lost', async () => {
  const { objects } = await made();
  for (const part of namesOf(objects, 'index/')) {
    const result = await verifyStore(await openObjects(without(objects, part)), { readData: 1 });
    const packs = namesOf(objects, 'packs/').filter(name => name.includes(part.slice(6, 38)));
    assert.deepEqual(
      result.damage.map(({ kind, object }) => [kind, object]).sort(),
      packs.map(name => ['index', name]).sort(),
    );
    assert.deepEqual(result.affected, []);
  }
});

test('a manifest that is gone without having been forgotten is missed by the next of its host', async () => {
  const { objects, snapshots } = await made();
  const name = `manifests/${snapshots[0]!.id}`;
  const { damage } = await verifyStore(await openObjects(without(objects, name)));
  assert.deepEqual(
    damage.map(({ kind, object }) => [kind, object]),
    [['manifest', name]],
  );
});

test('a damaged manifest is named, and the other snapshots are checked', async () => {
  const { objects, snapshots } = await made();
  const name = `manifests/${snapshots[0]!.id}`;
  const result = await verifyStore(await openObjects(new Map(objects).set(name, Buffer.from('?'))));
  assert.deepEqual(
    result.damage.map(({ object }) => object),
    [name],
  );
  assert.deepEqual(
    result.snapshots.map(({ id }) => id),
    [snapshots[1]!.id],
  );
});

test('names that the format does not know are left alone', async () => {
  const { objects } = await made();
  const more = new Map(objects);
  for (const name of ['note.txt', 'packs/zz/nothing', 'index/short', 'parity/ab', 'gc/01', 'sessions/x'])
    more.set(name, Buffer.from('whatever'));
  assert.equal((await verifyStore(await openObjects(more), { readData: 1 })).isOk, true);
});

test('only what named snapshots need is read when that is asked for', async () => {
  const { objects, snapshots } = await made();
  const [first] = snapshots;
  const needed = await verifyStore(await openObjects(objects), {
    readData: 1,
    snapshots: [first!.id],
    packs: 'needed',
  });
  const all = await verifyStore(await openObjects(objects), { readData: 1 });
  assert.deepEqual(
    needed.snapshots.map(({ id }) => id),
    [first!.id],
  );
  assert.ok(needed.chunksChecked < all.chunksChecked);
  const none = 'f'.repeat(64) as SnapshotId;
  await assert.rejects(verifyStore(await openObjects(objects), { snapshots: [none] }), {
    code: 'SNAPSHOT_UNKNOWN',
  });
});

test('a sample reads some packs, and not always the same', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  for (let i = 0; i < 12; i++) await commitFiles(store, new Map([['a', Buffer.from(`content ${i}`)]]));
  const counts = new Set<number>();
  for (let i = 0; i < 12; i++) counts.add((await verifyStore(store, { readData: 0.5 })).bytesRead);
  assert.ok(counts.size > 1);
});

test('verification tells how far it is, and ends when asked to', async () => {
  const { store } = await made();
  const seen: VerifyProgress[] = [];
  await verifyStore(store, { readData: 1, onProgress: progress => seen.push(progress) });
  assert.deepEqual([...new Set(seen.map(({ phase }) => phase))], ['objects', 'packs', 'snapshots', 'data']);
  assert.deepEqual(seen.at(-1)!.done, seen.at(-1)!.total);
  const controller = new AbortController();
  const stopped = verifyStore(store, {
    readData: 1,
    signal: controller.signal,
    onProgress: ({ phase }) => phase === 'packs' && controller.abort(new Error('stop')),
  });
  await assert.rejects(stopped, { message: 'stop' });
});

test('a snapshot list of a store without snapshots is empty, and whole', async () => {
  const store = await makeStore();
  assert.deepEqual(await collect(store.snapshots()), []);
  assert.equal((await verifyStore(store, { readData: 1 })).isOk, true);
});
