import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadBlake3 } from '../../../store/hash.ts';
import {
  addKeySlot,
  type Backend,
  changePassphrase,
  hex,
  isStoreError,
  type MemoryBackend,
  memoryBackend,
  openStore,
  type Rotated,
  type RotateOptions,
  readKeys,
  removeKeySlot,
  rotateKeys,
  type Store,
  slotNamed,
  systemSeams,
  verifyStore,
} from '../../../store/index.ts';
import { renewKeys } from '../../../store/keys/index.ts';
import { openRing } from '../../../store/keys/ring.ts';
import { sealSlot } from '../../../store/keys/slots.ts';
import { decodeHeader, openSeal } from '../../../store/seal/index.ts';
import { insideOf } from '../../../store/store.ts';
import { commitFiles, readFiles } from '../../helpers/small-store.ts';
import { cheapKdf, makeStore, testPassphrase } from '../../helpers/stores.ts';

const blake3 = await loadBlake3();
const files = new Map([
  ['a', Buffer.from('of the first day')],
  ['b', Buffer.alloc(40_000, 'and on ')],
]);

function open(backend: Backend, passphrase = testPassphrase): Promise<Store> {
  return openStore(backend, { passphrase, seams: systemSeams });
}

async function refuses(backend: Backend, passphrase: string): Promise<void> {
  await assert.rejects(open(backend, passphrase), { code: 'STORE_WRONG_PASSPHRASE' });
}

async function add(store: Store, passphrase: string, label = ''): Promise<string> {
  return (await addKeySlot(store, { passphrase, label, kdf: cheapKdf })).id;
}

function rotate(store: Store, options: Partial<RotateOptions> = {}): Promise<Rotated> {
  return rotateKeys(store, { otherPassphrases: [], dropsOthers: false, ...options });
}

const slotNames = (backend: MemoryBackend): string[] =>
  [...backend.snapshot().keys()].filter(name => /^keys\/[0-9a-f]{64}$/.test(name));

async function ownSlot(store: Store): Promise<string> {
  return (await readKeys(store)).slots.find(({ isOpener }) => isOpener)!.id;
}

describe('a slot', () => {
  test('that was added opens the store, and is listed with what is known of it', async () => {
    const backend = memoryBackend();
    const store = await makeStore({ backend });
    const id = await add(store, 'second', 'in the safe');
    const again = await open(backend, 'second');
    const { slots, ringNumber, epochs, hosts, problems } = await readKeys(again);
    assert.deepEqual(
      slots.map(({ label, isOpener, isInUse }) => [label, isOpener, isInUse]),
      [
        ['', false, true],
        ['in the safe', true, true],
      ],
    );
    assert.equal(slots[1]!.id, id);
    assert.deepEqual(slots[1]!.kdf, cheapKdf);
    assert.deepEqual([ringNumber, epochs.length, hosts, problems], [1, 1, [], []]);
  });

  test('that reads back otherwise does not count, and is taken away', async () => {
    const memory = memoryBackend();
    const store = await makeStore({ backend: memory });
    const before = [...memory.snapshot().keys()];
    const lying: Backend = {
      ...memory,
      async get(name, options) {
        const bytes = await memory.get(name, options);
        if (!before.includes(name)) bytes[70]! ^= 1;
        return bytes;
      },
    };
    await assert.rejects(add(await open(lying), 'second'), { code: 'STORE_DAMAGED' });
    assert.deepEqual([...memory.snapshot().keys()], before);
    await refuses(memory, 'second');
    assert.ok(store);
  });

  test('is not added as the sixty-fifth, since no program would open the store then', async () => {
    const backend = memoryBackend();
    const store = await makeStore({ backend });
    const held = slotNames(backend).length;
    for (let index = held; index < 64; index += 1)
      await backend.put(`keys/${index.toString(16).padStart(64, '0')}`, new Uint8Array(9));
    await assert.rejects(add(store, 'second'), { code: 'STORE_SLOT_REFUSED' });
    await assert.rejects(rotate(store), { code: 'STORE_SLOT_REFUSED' });
    assert.equal(slotNames(backend).length, 64);
    await open(backend);
  });

  test('is named by its id, the beginning of it, or its label, and by nothing that could be another', async () => {
    const store = await makeStore();
    const id = await add(store, 'second', 'safe');
    await add(store, 'third', 'twice');
    await add(store, 'fourth', 'twice');
    await add(store, 'fifth', id.slice(0, 6));
    const report = await readKeys(store);
    assert.equal(slotNamed(report, id), id);
    assert.equal(slotNamed(report, id.slice(0, 9)), id);
    assert.equal(slotNamed(report, 'safe'), id);
    for (const text of ['twice', id.slice(0, 6)])
      assert.throws(() => slotNamed(report, text), { code: 'STORE_SLOT_AMBIGUOUS' }, text);
    for (const text of ['', id.slice(0, 3), 'sa', `${id}0`])
      assert.throws(() => slotNamed(report, text), { code: 'STORE_SLOT_UNKNOWN' }, text);
  });

  test('that was removed opens nothing, and the others go on', async () => {
    const backend = memoryBackend();
    const store = await makeStore({ backend });
    const id = await add(store, 'second');
    await removeKeySlot(store, id);
    await refuses(backend, 'second');
    await open(backend);
    await assert.rejects(removeKeySlot(store, id), { code: 'STORE_SLOT_UNKNOWN' });
  });

  test('that was removed opens again where a copy of it is put back, until the keys are rotated', async () => {
    const backend = memoryBackend();
    const store = await makeStore({ backend });
    const name = `keys/${await add(store, 'second')}`;
    const copy = backend.snapshot().get(name)!;
    await removeKeySlot(store, name.slice(5));
    await backend.put(name, copy);
    await open(backend, 'second');
    await backend.delete(name);
    await rotate(store);
    await backend.put(name, copy);
    await refuses(backend, 'second');
  });

  test('whose removal died is not counted on, and goes when it is removed again', async () => {
    const memory = memoryBackend();
    const store = await makeStore({ backend: memory });
    const id = await add(store, 'second');
    const stopped: Backend = { ...memory, delete: () => Promise.reject(new Error('killed')) };
    await assert.rejects(removeKeySlot(await open(stopped), id), { message: 'killed' });
    const second = await open(memory, 'second');
    const { slots } = await readKeys(second);
    assert.deepEqual(
      slots.map(({ isRemoved }) => isRemoved),
      [false, true],
    );
    const own = slots.find(slot => slot.id !== id)!.id;
    await assert.rejects(removeKeySlot(second, own), { code: 'STORE_SLOT_REFUSED' });
    await assert.rejects(rotate(second, { dropsOthers: true }), { code: 'STORE_LOCKED' });
    await removeKeySlot(await open(memory), id);
    await refuses(memory, 'second');
    await open(memory);
  });

  test('that is the last, or the only one known to open, is not removed', async () => {
    const backend = memoryBackend();
    const store = await makeStore({ backend });
    const own = await ownSlot(store);
    await assert.rejects(removeKeySlot(store, own), { code: 'STORE_SLOT_REFUSED' });
    const other = await add(store, 'second');
    await assert.rejects(removeKeySlot(store, own), { code: 'STORE_SLOT_REFUSED' });
    assert.equal(slotNames(backend).length, 2);
    await removeKeySlot(await open(backend, 'second'), own);
    await assert.rejects(removeKeySlot(await open(backend, 'second'), other), { code: 'STORE_SLOT_REFUSED' });
    await open(backend, 'second');
  });

  test('of this run is removed where its passphrase opens another', async () => {
    const backend = memoryBackend();
    const store = await makeStore({ backend });
    await add(store, testPassphrase);
    await removeKeySlot(store, await ownSlot(store));
    await open(backend);
    assert.equal(slotNames(backend).length, 1);
  });

  test('that is damaged can be removed, one that a newer program made cannot', async () => {
    const backend = memoryBackend();
    const store = await makeStore({ backend });
    const [bad, later] = ['a'.repeat(64), 'b'.repeat(64)];
    await backend.put(`keys/${bad}`, new Uint8Array(236));
    const newer = backend.snapshot().get(slotNames(backend)[0]!)!.slice();
    newer[4] = 2;
    newer.set(blake3.hash(newer.subarray(0, -16)).subarray(0, 16), 220);
    await backend.put(`keys/${later}`, newer);
    const { problems } = await readKeys(store);
    assert.deepEqual(
      problems.map(({ id, code }) => [id, code]),
      [
        [bad, 'STORE_DAMAGED'],
        [later, 'STORE_NEWER'],
      ],
    );
    await removeKeySlot(store, slotNamed(await readKeys(store), 'aaaa'));
    await assert.rejects(removeKeySlot(store, later), { code: 'STORE_NEWER' });
  });

  test('has another passphrase after a change, under the same label and key', async () => {
    const backend = memoryBackend();
    const store = await makeStore({ backend });
    await add(store, 'second', 'mine');
    const second = await open(backend, 'second');
    await changePassphrase(second, { passphrase: 'third' });
    await refuses(backend, 'second');
    await open(backend);
    const { slots, ringKeyNumber } = await readKeys(await open(backend, 'third'));
    assert.deepEqual(slots.find(({ isOpener }) => isOpener)?.label, 'mine');
    assert.equal(ringKeyNumber, 1);
  });
});

describe('a rotation', () => {
  test('to the passphrase in use is refused, as is a change to it, before anything is changed', async () => {
    const backend = memoryBackend();
    const store = await makeStore({ backend });
    const before = [...backend.snapshot().keys()];
    const refused = { code: 'STORE_SLOT_REFUSED' };
    await assert.rejects(rotate(store, { newPassphrase: testPassphrase }), refused);
    await assert.rejects(changePassphrase(store, { passphrase: testPassphrase }), refused);
    assert.deepEqual([...backend.snapshot().keys()], before);
  });

  test('leaves everything readable, and writes what the old ring key does not open', async () => {
    const backend = memoryBackend();
    const store = await makeStore({ backend });
    const first = await commitFiles(store, files);
    const old = insideOf(await open(backend)).keys;
    const before = new Set(backend.snapshot().keys());
    const rotated = await rotate(store, { newPassphrase: 'new' });
    assert.deepEqual([rotated.ringNumber, rotated.ringKeyNumber, rotated.epoch], [2, 2, 2]);
    assert.deepEqual([rotated.dropped, rotated.left], [[], []]);
    await refuses(backend, testPassphrase);
    const later = await open(backend, 'new');
    assert.deepEqual(await readFiles(later, first.root), first.files);
    const second = await commitFiles(later, new Map([...files, ['c', Buffer.from('of the second day')]]));
    assert.deepEqual(await readFiles(await open(backend, 'new'), second.root), second.files);
    assert.equal((await verifyStore(await open(backend, 'new'), { readData: 1 })).damage.length, 0);

    const made = [...backend.snapshot()].filter(([name]) => !before.has(name) && !name.startsWith('keys/'));
    assert.ok(made.some(([name]) => name.startsWith('packs/')));
    const { storeId } = old.ring;
    for (const [name, bytes] of made) {
      const { epoch, kind } = decodeHeader(bytes, blake3, name);
      assert.equal(epoch, 2, name);
      assert.throws(() => openSeal(old.ring, bytes, { kind, name }), { code: 'STORE_NEWER' }, name);
    }
    // With the old ring key in hand the new ring does not open either.
    const ring = backend.snapshot().get('keys/ring-2')!;
    const ringKey = { ...old.ringKey, number: 2 };
    assert.throws(() => openRing(ring, { storeId, blake3, ringKey, name: 'keys/ring-2' }), {
      code: 'STORE_DAMAGED',
    });
  });

  test('goes on with the passphrase at hand where no new one is given', async () => {
    const backend = memoryBackend();
    await rotate(await makeStore({ backend }));
    assert.equal(insideOf(await open(backend)).context.ring.epoch, 2);
    assert.equal(slotNames(backend).length, 1);
  });

  test('names the slots that would lose access, and changes nothing until it is told that they may', async () => {
    const backend = memoryBackend();
    const store = await makeStore({ backend });
    await add(store, 'second', 'the safe');
    await add(store, 'third');
    const before = backend.snapshot();
    await assert.rejects(rotate(store), { code: 'STORE_SLOT_REFUSED', message: /the safe/ });
    await assert.rejects(rotate(store, { otherPassphrases: ['second'] }), { code: 'STORE_SLOT_REFUSED' });
    await assert.rejects(rotate(store, { otherPassphrases: ['nobody’s'], dropsOthers: true }), {
      code: 'STORE_WRONG_PASSPHRASE',
    });
    assert.deepEqual(backend.snapshot(), before);
    const { dropped } = await rotate(store, { otherPassphrases: ['second'], dropsOthers: true });
    assert.equal(dropped.length, 1);
    await open(backend);
    await refuses(backend, 'third');
    const { slots } = await readKeys(await open(backend, 'second'));
    assert.deepEqual(slots.map(({ label }) => label).sort(), ['', 'the safe']);
  });

  test('keeps the old passphrase beside the new one, if both are to open', async () => {
    const backend = memoryBackend();
    const options = { newPassphrase: 'new', otherPassphrases: [testPassphrase] };
    await rotate(await makeStore({ backend }), options);
    await open(backend);
    await open(backend, 'new');
  });

  test('removes what a dead rotation left, and takes a number above it', async () => {
    const backend = memoryBackend();
    const store = await makeStore({ backend });
    const { ring } = insideOf(store).keys;
    const left = `keys/${'c'.repeat(64)}`;
    const stale = await sealSlot(
      { number: 2, key: systemSeams.randomness.bytes(32) },
      {
        storeId: ring.storeId,
        blake3,
        name: left,
        passphrase: testPassphrase,
        kdf: cheapKdf,
        createdMs: 0,
        label: '',
        randomness: systemSeams.randomness,
      },
    );
    await backend.put(left, stale);
    await open(backend);
    assert.equal((await rotate(store)).ringKeyNumber, 3);
    assert.ok(!backend.snapshot().has(left));
    await open(backend);
    // One of the same number, by a rotation that lost and died, is passed over.
    const { ringKey } = insideOf(await open(backend)).keys;
    const lost = await sealSlot(
      { number: ringKey.number, key: systemSeams.randomness.bytes(32) },
      {
        storeId: ring.storeId,
        blake3,
        name: `keys/${'0'.repeat(64)}`,
        passphrase: testPassphrase,
        kdf: cheapKdf,
        createdMs: 0,
        label: '',
        randomness: systemSeams.randomness,
      },
    );
    await backend.put(`keys/${'0'.repeat(64)}`, lost);
    assert.equal(insideOf(await open(backend)).context.ring.epoch, 2);
  });

  test('whose ring or old slots are gone is damage, and no wrong passphrase', async () => {
    const backend = memoryBackend();
    const store = await makeStore({ backend });
    await rotate(store);
    const objects = backend.snapshot();
    objects.delete('keys/ring-2');
    await assert.rejects(open(memoryBackend({ objects })), { code: 'STORE_DAMAGED' });
  });

  test('that cannot delete the old slots has happened all the same, and says which are left', async () => {
    const memory = memoryBackend();
    await makeStore({ backend: memory });
    const immutable: Backend = {
      ...memory,
      delete: () => Promise.reject(Object.assign(new Error('kept by the medium'))),
    };
    const { left } = await rotate(await open(immutable), { newPassphrase: 'new' });
    assert.equal(left.length, 1);
    await refuses(memory, testPassphrase);
    await open(memory, 'new');
  });

  test('of two at once is made by one, and the other says so', async () => {
    const backend = memoryBackend();
    const stores = [await makeStore({ backend }), await open(backend)];
    await rotate(stores[0]!, { newPassphrase: 'new' });
    await assert.rejects(rotate(stores[1]!, { newPassphrase: 'newer' }), { code: 'STORE_LOCKED' });
    await assert.rejects(add(stores[1]!, 'another'), { code: 'STORE_LOCKED' });
    await assert.rejects(removeKeySlot(stores[1]!, await ownSlot(stores[0]!)), { code: 'STORE_LOCKED' });
    await open(backend, 'new');
    assert.equal(slotNames(backend).length, 1);
  });
});

describe('who had the keys before a rotation', () => {
  test('can read all that was written before, and nothing that was written afterwards', async () => {
    const backend = memoryBackend();
    const store = await makeStore({ backend });
    const first = await commitFiles(store, files);
    const kept = memoryBackend({ objects: backend.snapshot() });
    await rotate(store, { newPassphrase: 'new' });
    const second = await commitFiles(store, new Map([['c', Buffer.from('later')]]));
    // The slot and ring of then, beside all that is there now.
    const former = await open(kept);
    assert.deepEqual(await readFiles(former, first.root), first.files);
    for (const [name, bytes] of backend.snapshot()) await kept.put(name, bytes);
    await assert.rejects(readFiles(former, second.root), { code: 'STORE_NEWER' });
  });

  test('can still write as of the old epoch, if the medium lets them', async () => {
    const backend = memoryBackend();
    const former = await makeStore({ backend });
    const other = await open(backend);
    await rotate(other, { newPassphrase: 'new' });
    const forged = await commitFiles(former, files);
    const listed = [];
    for await (const { id } of (await open(backend, 'new')).snapshots()) listed.push(id);
    assert.deepEqual(listed, [forged.id]);
  });
});

describe('what is at work while the keys are rotated', () => {
  test('a backup commits, after others committed under the new epoch, too', async () => {
    for (const passphrase of [undefined, 'new']) {
      const backend = memoryBackend();
      const store = await makeStore({ backend });
      await commitFiles(store, files);
      await using session = await store.beginBackup({ host: 'beta' });
      const id = await session.put(Buffer.from('begun under the old epoch'), 'data');
      await session.flush();
      const other = await open(backend);
      await rotate(other, { newPassphrase: passphrase });
      if (passphrase === undefined) await commitFiles(other, new Map([['c', Buffer.from('new')]]));
      const snapshot = await session.commit({ roots: [{ id, kind: 'data' }], body: null });
      const manifest = backend.snapshot().get(`manifests/${snapshot}`)!;
      const epoch = decodeHeader(manifest, blake3, 'the manifest').epoch;
      assert.equal(epoch, passphrase === undefined ? 2 : 1);
      const again = await open(backend, passphrase);
      assert.equal(Buffer.from(await again.get(id, 'data')).toString(), 'begun under the old epoch');
      assert.equal((await verifyStore(again, { readData: 1 })).damage.length, 0);
    }
  });

  test('a backup whose passphrase was taken away fails cleanly where it meets the new epoch', async () => {
    const backend = memoryBackend();
    const store = await makeStore({ backend });
    await using session = await store.beginBackup({ host: 'beta' });
    const id = await session.put(Buffer.from('begun under the old epoch'), 'data');
    const other = await open(backend);
    await rotate(other, { newPassphrase: 'new' });
    const { id: later } = await commitFiles(other, files);
    await assert.rejects(session.commit({ roots: [{ id, kind: 'data' }], body: null }), {
      code: 'STORE_NEWER',
    });
    await session.abandon();
    const names = [...backend.snapshot().keys()];
    assert.deepEqual(
      names.filter(name => /^(sessions|intents)\//.test(name)),
      [],
    );
    assert.deepEqual(
      names.filter(name => name.startsWith('manifests/')),
      [`manifests/${later}`],
    );
  });

  test('a reader that opened before finds what is stored afterwards', async () => {
    const backend = memoryBackend();
    const reader = await makeStore({ backend });
    const first = await commitFiles(reader, files);
    const other = await open(backend);
    await rotate(other);
    const second = await commitFiles(other, new Map([['c', Buffer.alloc(3000, 'later')]]));
    assert.deepEqual(await readFiles(reader, second.root), second.files);
    assert.deepEqual(await readFiles(reader, first.root), first.files);
    const dropped = await open(backend);
    await readFiles(dropped, first.root);
    await rotate(other, { newPassphrase: 'new' });
    const third = await commitFiles(other, new Map([['d', Buffer.alloc(3000, 'latest')]]));
    assert.deepEqual(await readFiles(dropped, first.root), first.files);
    await assert.rejects(readFiles(dropped, third.root), { code: 'STORE_NEWER' });
  });

  test('the passphrase of a slot that it replaced is told from a wrong one while that slot is there', async () => {
    const backend = memoryBackend();
    const store = await makeStore({ backend });
    const [name] = [...backend.snapshot().keys()].filter(one => /^keys\/[0-9a-f]{64}$/.test(one));
    const bytes = backend.snapshot().get(name!)!;
    await rotate(store, { newPassphrase: 'new' });
    const code = 'STORE_WRONG_PASSPHRASE';
    const told = async () => {
      const error = await open(backend).catch((thrown: unknown) => thrown);
      assert.ok(isStoreError(error));
      return [error.code, error.context['slot']];
    };
    assert.deepEqual(await told(), [code, undefined]);
    await backend.put(name!, bytes);
    assert.deepEqual(await told(), [code, name]);
  });

  test('keys that were opened take over a ring that another host changed, without a passphrase', async () => {
    const backend = memoryBackend();
    const { keys, context } = insideOf(await makeStore({ backend }));
    await renewKeys(backend, keys);
    assert.equal(keys.ringNumber, 1);
    await rotate(await open(backend));
    await renewKeys(backend, keys);
    assert.deepEqual([keys.ringNumber, keys.ringKey.number, context.ring.epoch], [2, 2, 2]);
    assert.deepEqual(hex(context.ring.epochSecret(1)), hex(keys.body.epochs[0]!.secret));
  });
});

test('an error of the keys is a store error', async () => {
  const store = await makeStore();
  await assert.rejects(removeKeySlot(store, 'f'.repeat(64)), isStoreError);
});
