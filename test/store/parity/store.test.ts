import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import {
  type Backend,
  beginRepair,
  type MemoryBackend,
  memoryBackend,
  openStore,
  openStoreAsHost,
  type Store,
  storeError,
  systemSeams,
  verifyStore,
} from '../../../store/index.ts';
import { parityOf } from '../../../store/parity/code.ts';
import { parityRecord } from '../../../store/parity/record.ts';
import { putRecord } from '../../../store/protocol/note.ts';
import { insideOf } from '../../../store/store.ts';
import { observedBackend, replay } from '../../helpers/faulty-backend.ts';
import { checkWhole, drop, namesOf } from '../../helpers/prune-rig.ts';
import { commitFiles, readFiles, type SmallSnapshot } from '../../helpers/small-store.ts';
import { makeStore, reopenStore, testPassphrase } from '../../helpers/stores.ts';
import { storeWithHost } from '../../helpers/write-only-host.ts';

const bytesOf = (length: number, seed: string): Buffer =>
  createHash('shake256', { outputLength: length }).update(seed).digest();

async function withParity(backend: Backend, failures: unknown[] = []): Promise<Store> {
  const parity = { onFailure: (error: unknown) => void failures.push(error) };
  return openStore(backend, { passphrase: testPassphrase, seams: systemSeams, parity });
}

/** Two snapshots of files that make packs worth a parity: about 2 MiB. */
async function made(isOn = true) {
  const backend = memoryBackend();
  const plain = await makeStore({ backend });
  const store = isOn ? await withParity(backend) : plain;
  const files = new Map(
    Array.from({ length: 7 }, (_, i) => [`file ${i}`, bytesOf(20_000 + 90_000 * i, `file ${i}`)] as const),
  );
  const first = await commitFiles(store, files);
  const second = await commitFiles(store, new Map([...files, ['new', bytesOf(200_000, 'new')] as const]));
  return { backend, store, snapshots: [first, second] as readonly SmallSnapshot[] };
}

function changed(backend: MemoryBackend, change: (objects: Map<string, Uint8Array>) => void): MemoryBackend {
  const objects = new Map(backend.snapshot());
  change(objects);
  return memoryBackend({ objects });
}

/** Packs large enough, by size. */
function packsOf(backend: MemoryBackend): string[] {
  const objects = backend.snapshot();
  return namesOf(backend, 'packs/').filter(name => objects.get(name)!.length >= 65536);
}

const parityOfPack = (name: string) => `parity/${name.slice(-64)}`;

test('with parity, each pack of 64 KiB or more has it when the backup has ended; without, none has', async () => {
  const on = await made();
  assert.ok(packsOf(on.backend).length >= 2);
  assert.deepEqual(namesOf(on.backend, 'parity/'), packsOf(on.backend).map(parityOfPack).sort());
  const off = await made(false);
  assert.deepEqual(namesOf(off.backend, 'parity/'), []);
});

test('what is published while parity is paused gets it afterwards', async () => {
  const { backend } = await made(false);
  const store = await withParity(backend);
  await using session = await store.beginBackup({ host: 'alpha' });
  session.pauseParity();
  const id = await session.put(bytesOf(300_000, 'paused'), 'data');
  await session.flush();
  assert.deepEqual(namesOf(backend, 'parity/'), []);
  session.resumeParity();
  await session.commit({ roots: [{ id, kind: 'data' }], body: null });
  assert.equal(namesOf(backend, 'parity/').length, 1);
});

test('a parity that cannot be written is told once, and costs no snapshot', async () => {
  const inner = memoryBackend();
  await makeStore({ backend: inner });
  const failing: MemoryBackend = {
    ...inner,
    put: async (...args: Parameters<MemoryBackend['put']>) => {
      if (args[0].startsWith('parity/')) throw storeError('STORE_WRITE_FAILED', 'Cannot write: no room');
      return inner.put(...args);
    },
  };
  const failures: unknown[] = [];
  const store = await withParity(failing, failures);
  const snapshot = await commitFiles(store, new Map([['a', bytesOf(300_000, 'a')], ['b', bytesOf(16_600_000, 'b')], ['c', bytesOf(400_000, 'c')]])); // biome-ignore format: files
  assert.equal(failures.length, 1);
  assert.deepEqual(namesOf(inner, 'parity/'), []);
  await checkWhole(inner, [snapshot]);
});

async function mend(store: Store, { dryRun = false } = {}) {
  await using repair = await beginRepair(store, { host: 'alpha', readData: true, dryRun });
  const mended = await repair.mend();
  await repair.settle([]);
  return { ...mended, found: repair.found, left: repair.left };
}

/** Damages packs at some places, a run of bytes at each. */
function hurt(
  backend: MemoryBackend,
  names: readonly string[],
  places: readonly { readonly at: number; readonly length?: number }[],
): MemoryBackend {
  return changed(backend, objects => {
    for (const name of names) {
      const bytes = new Uint8Array(objects.get(name)!);
      for (const { at, length = 1 } of places)
        for (let i = 0; i < length; i++)
          bytes[(((at + i) % bytes.length) + bytes.length) % bytes.length]! ^= 0x10;
      objects.set(name, bytes);
    }
  });
}

test('a repair that is killed anywhere leaves nothing that the next one does not list', async () => {
  const { backend } = await made();
  const packs = packsOf(backend);
  const gone = changed(backend, objects => {
    for (const name of namesOf(backend, 'index/')) objects.delete(name);
  });
  for (const at of [5000, -3]) {
    const broken = hurt(gone, packs, [{ at }]);
    const observed = observedBackend(memoryBackend({ objects: broken.snapshot() }));
    await mend(await withParity(observed));
    for (let count = 0; count <= observed.mutations.length; count++) {
      const cut = replay(observed.mutations.slice(0, count), broken.snapshot());
      await mend(await withParity(cut));
      const { damage } = await verifyStore(await withParity(cut), { readData: 1 });
      assert.deepEqual(damage, [], `killed after ${count} of ${observed.mutations.length}`);
    }
  }
});

test('whatever is bad in a pack, up to what its parity can do, a repair brings back, and all is whole', async () => {
  const { backend, snapshots } = await made();
  const packs = packsOf(backend);
  const cases = {
    'a flip in its frames': [{ at: 5000 }],
    'flips in three blocks': [{ at: 100 }, { at: 30_000 }, { at: 61_000 }],
    'its header': [{ at: 20 }],
    'its footer': [{ at: -3 }],
    'its trailer and a frame': [{ at: -40 }, { at: 9000 }],
    'a run': [{ at: 40_000, length: 8192 }],
  };
  for (const [where, places] of Object.entries(cases)) {
    const broken = hurt(backend, packs, places);
    assert.ok(!(await verifyStore(await withParity(broken), { readData: 1 })).isOk, where);
    const names = [...broken.snapshot().keys()];
    const tried = await mend(await withParity(broken), { dryRun: true });
    assert.deepEqual([...broken.snapshot().keys()], names, 'a dry run writes nothing');
    const { healed, recorded } = await mend(await withParity(broken));
    assert.deepEqual(tried.healed, healed);
    const froms = new Set(healed.map(({ from }) => from));
    assert.equal(froms.has('its parity'), where !== 'its footer', where);
    assert.ok(recorded.every(({ lost }) => lost === 0));
    await checkWhole(broken, snapshots, { where });
    const again = await mend(await withParity(broken));
    assert.deepEqual([again.healed, again.recorded], [[], []], where);
  }
});

test('of a pack that was cut, or grew, the parity is not called damaged: it heals it', async () => {
  const { backend } = await made();
  const name = packsOf(backend).at(-1)!;
  for (const change of [
    (bytes: Uint8Array) => bytes.slice(0, -9_000),
    (bytes: Uint8Array) => Buffer.concat([bytes, bytes.slice(0, 9)]),
  ]) {
    const broken = changed(backend, objects => objects.set(name, change(objects.get(name)!)));
    const { damage } = await verifyStore(await withParity(broken), { readData: 1 });
    assert.ok(damage.length > 0);
    assert.deepEqual(
      damage.filter(({ object }) => object.startsWith('parity/')),
      [],
    );
    await mend(await withParity(broken));
    assert.deepEqual((await verifyStore(await withParity(broken), { readData: 1 })).damage, []);
  }
});

test('a dry run reads what parity would give back, also the nodes of a listing', async () => {
  const backend = memoryBackend();
  await makeStore({ backend });
  const files = Array.from({ length: 1500 }, (_, i) => [`a file ${i}`, bytesOf(40, `${i}`)] as const);
  const snapshot = await commitFiles(await withParity(backend), new Map(files));
  const broken = hurt(backend, packsOf(backend), [{ at: 20 }]);
  await assert.rejects(readFiles(await reopenStore(broken), snapshot.root), { code: 'STORE_DAMAGED' });
  await using repair = await beginRepair(await reopenStore(broken), {
    host: 'alpha',
    readData: true,
    dryRun: true,
  });
  await repair.mend();
  assert.deepEqual(await readFiles(repair, snapshot.root), snapshot.files);
});

test('an index and a list of a pack that are gone together come back by its parity', async () => {
  const { backend, snapshots } = await made();
  const broken = changed(hurt(backend, packsOf(backend), [{ at: -40 }]), objects => {
    for (const name of namesOf(backend, 'index/')) objects.delete(name);
  });
  await mend(await withParity(broken));
  await checkWhole(broken, snapshots);
});

test('parity goes with its pack, after it, and what it is of nothing goes too; other names stay', async () => {
  const { backend, snapshots } = await made();
  const kept = namesOf(backend, 'parity/');
  const gone = await commitFiles(await withParity(backend), new Map([['gone', bytesOf(500_000, 'gone')]]));
  const added = namesOf(backend, 'parity/').filter(name => !kept.includes(name));
  assert.equal(added.length, 1);
  const orphan = `parity/${'ab'.repeat(32)}`;
  for (const name of [orphan, 'parity/note.txt']) await backend.put(name, Buffer.from('anything'));
  const { backend: watched, calls } = observed(backend);
  await drop(await withParity(watched), gone);
  assert.deepEqual(namesOf(backend, 'parity/'), [...kept, 'parity/note.txt'].sort());
  const deleted = calls.filter(name => name.startsWith('packs/') || name.startsWith('parity/'));
  assert.ok(deleted.indexOf(added[0]!) > deleted.findIndex(name => name.endsWith(added[0]!.slice(-64))));
  await checkWhole(backend, snapshots);
});

/** Notes what is deleted. */
function observed(inner: MemoryBackend): { backend: MemoryBackend; calls: string[] } {
  const calls: string[] = [];
  const backend: MemoryBackend = {
    ...inner,
    async delete(name, options) {
      calls.push(name);
      await inner.delete(name, options);
    },
  };
  return { backend, calls };
}

test('a store whose parity is dropped, or damaged, is whole for all that needs it', async () => {
  const { backend, snapshots } = await made();
  const names = namesOf(backend, 'parity/');
  const dropped = changed(backend, objects => {
    for (const name of names) objects.delete(name);
  });
  await checkWhole(dropped, snapshots);
  const [first, other] = packsOf(backend).map(parityOfPack) as [string, string];
  const foreign = hurt(hurt(backend, [first], [{ at: 20 }]), [other], [{ at: 200 }]);
  const { damage, affected } = await verifyStore(await withParity(foreign), { readData: 1 });
  assert.deepEqual(
    damage.map(({ kind, object, chunks }) => ({ kind, object, chunks })).sort(byObject),
    [first, other].map(object => ({ kind: 'parity', object, chunks: 0 })).sort(byObject),
  );
  assert.deepEqual(affected, []);
  const plain = await verifyStore(await withParity(foreign));
  assert.deepEqual(
    plain.damage.map(({ object }) => object),
    [first],
    'without reading data, headers alone',
  );
});

const byObject = (a: { readonly object: string }, b: { readonly object: string }) =>
  a.object < b.object ? -1 : 1;

test('a repair adds parity where it is wanted and missing, and says so', async () => {
  const { backend, snapshots } = await made(false);
  await mend(await openStore(backend, { passphrase: testPassphrase, seams: systemSeams }));
  assert.deepEqual(namesOf(backend, 'parity/'), []);
  const tried = await mend(await withParity(backend), { dryRun: true });
  assert.deepEqual(namesOf(backend, 'parity/'), []);
  const { rebuilt } = await mend(await withParity(backend));
  assert.deepEqual(rebuilt, tried.rebuilt);
  assert.equal(rebuilt.length, 1);
  assert.deepEqual(namesOf(backend, 'parity/'), packsOf(backend).map(parityOfPack).sort());
  const broken = hurt(backend, packsOf(backend), [{ at: 20 }]);
  await mend(await withParity(broken));
  await checkWhole(broken, snapshots);
  assert.deepEqual((await mend(await withParity(backend))).rebuilt, []);
});

test('too much damage, or parity that is of no use, costs no more than the damage itself', async () => {
  const { backend } = await made();
  const packs = packsOf(backend);
  const run = [{ at: 10_000, length: 5 * 4096 * 5 }];
  const swapped = changed(hurt(backend, packs, [{ at: 7000 }]), objects => {
    const [first, second] = packs.map(parityOfPack) as [string, string];
    const kept = objects.get(first)!;
    objects.set(first, objects.get(second)!);
    objects.set(second, kept);
  });
  for (const broken of [
    hurt(backend, packs, run),
    swapped,
    hurt(hurt(backend, packs, run), namesOf(backend, 'parity/'), [{ at: 300 }]),
  ]) {
    // biome-ignore format: cases
    const without = changed(broken, objects => {
      for (const name of namesOf(backend, 'parity/')) objects.delete(name);
    });
    const expected = await mend(await reopenStore(without));
    const { recorded, healed } = await mend(await reopenStore(broken));
    assert.deepEqual(recorded, expected.recorded);
    assert.deepEqual(healed, expected.healed);
  }
});

test('a host without the passphrase writes parity of its packs, and a repair uses it', async () => {
  const { backend, keyFile } = await storeWithHost();
  const parity = { onFailure: assert.ifError };
  const host = await openStoreAsHost(backend, { keyFile, seams: systemSeams, parity });
  const snapshot = await commitFiles(host, new Map([['a', bytesOf(300_000, 'of a host')]]));
  assert.deepEqual(namesOf(backend, 'parity/'), packsOf(backend).map(parityOfPack));
  await checkWhole(backend, [snapshot]);
  const broken = hurt(backend, packsOf(backend), [{ at: 99_000 }]);
  const { healed } = await mend(await reopenStore(broken));
  assert.deepEqual(healed.map(({ from }) => from), ['its parity']); // biome-ignore format: one answer
  await checkWhole(broken, [snapshot]);
});

test('parity that a hostile host made up for somebody else’s pack gives nobody other bytes', async () => {
  const { backend, keyFile } = await storeWithHost();
  const snapshot = await commitFiles(
    await reopenStore(backend),
    new Map([['a', bytesOf(300_000, 'of a holder')]]),
  );
  const [name] = packsOf(backend) as [string];
  const { context } = insideOf(await openStoreAsHost(backend, { keyFile, seams: systemSeams }));
  // Parity of the pack with some of its bytes changed: to it, the pack as it is has a bad block.
  const forged = new Uint8Array(await backend.get(name));
  forged[150_000]! ^= 1;
  const place = { name: parityOfPack(name), kind: 'parity', codec: parityRecord } as const;
  assert.equal(await putRecord(context, { ...place, record: parityOf([forged]) }), 'created');
  const result = await verifyStore(await reopenStore(backend), { readData: 1 });
  assert.deepEqual(result.damage.map(({ kind }) => kind), ['parity']); // biome-ignore format: one kind
  assert.deepEqual(result.affected, []);
  const { recorded, left } = await mend(await reopenStore(backend));
  assert.deepEqual(recorded, []);
  assert.deepEqual(left.map(({ object, isHarmless }) => [object, isHarmless]), [[parityOfPack(name), true]]); // biome-ignore format: one object
  assert.deepEqual(await readFiles(await reopenStore(backend), snapshot.root), snapshot.files);
  // And where the pack is bad there, too: what is rebuilt does not open.
  const broken = hurt(backend, [name], [{ at: 150_001 }]);
  const { healed } = await mend(await reopenStore(broken));
  assert.deepEqual(healed, []);
});
