import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MemoryObjects } from '../../../store/backend/index.ts';
import {
  addKeySlot,
  type Backend,
  changePassphrase,
  isStoreError,
  memoryBackend,
  openStore,
  readKeys,
  removeKeySlot,
  rotateKeys,
  type Store,
  storeError,
  systemSeams,
} from '../../../store/index.ts';
import { type BackendFault, observedBackend, replay } from '../../helpers/faulty-backend.ts';
import { Interleaving } from '../../helpers/interleaved.ts';
import { commitFiles, readFiles, type SmallSnapshot } from '../../helpers/small-store.ts';
import { cheapKdf, makeStore, testPassphrase } from '../../helpers/stores.ts';

const files = new Map([['a', Buffer.from('what was there before')]]);

interface Begun {
  readonly objects: MemoryObjects;
  readonly snapshot: SmallSnapshot;
}

/** A store with a snapshot and two slots. */
async function begin(): Promise<Begun> {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  await addKeySlot(store, { passphrase: 'second', label: 'second', kdf: cheapKdf });
  const snapshot = await commitFiles(store, files);
  return { objects: backend.snapshot(), snapshot };
}

const open = (backend: Backend, passphrase = testPassphrase): Promise<Store> =>
  openStore(backend, { passphrase, seams: systemSeams });

/** Which of the passphrases open the store; each that does reads what was there before. */
async function openers(backend: Backend, snapshot: SmallSnapshot): Promise<string[]> {
  const found: string[] = [];
  for (const passphrase of [testPassphrase, 'second', 'new', 'newer']) {
    try {
      const store = await open(backend, passphrase);
      assert.deepEqual(await readFiles(store, snapshot.root), snapshot.files);
      found.push(passphrase);
    } catch (error) {
      // Of a rotation that lost and died: its slot opens, and what it gives does not.
      const isOfLoser = isStoreError(error) && 'slot' in error.context;
      assert.ok(isOfLoser || (isStoreError(error) && error.code === 'STORE_WRONG_PASSPHRASE'), String(error));
    }
  }
  return found;
}

/** What is done to the keys, and which passphrases open the store before and after. */
const changes: Readonly<
  Record<string, { readonly work: (store: Store) => Promise<unknown>; readonly after: readonly string[] }>
> = {
  add: {
    work: store => addKeySlot(store, { passphrase: 'new', label: '', kdf: cheapKdf }),
    after: [testPassphrase, 'second', 'new'],
  },
  remove: {
    async work(store) {
      const { slots } = await readKeys(store);
      await removeKeySlot(store, slots.find(({ isOpener }) => !isOpener)!.id);
    },
    after: [testPassphrase],
  },
  'rotate, the passphrases kept': {
    work: store => rotateKeys(store, { otherPassphrases: ['second'], dropsOthers: false }),
    after: [testPassphrase, 'second'],
  },
  'rotate to a new passphrase': {
    work: store => rotateKeys(store, { newPassphrase: 'new', otherPassphrases: [], dropsOthers: true }),
    after: ['new'],
  },
  'change a passphrase': {
    work: store => changePassphrase(store, { passphrase: 'new' }),
    after: ['second', 'new'],
  },
};
const before = [testPassphrase, 'second'];

const written = storeError('STORE_WRITE_FAILED', 'Cannot reach the medium: a test');

test('a change of the keys that dies at any point leaves a store that opens, and can be made again', async () => {
  const { objects, snapshot } = await begin();
  for (const [what, { work, after }] of Object.entries(changes)) {
    const medium = observedBackend(memoryBackend({ objects }));
    await work(await open(medium));
    assert.deepEqual((await openers(medium, snapshot)).sort(), [...after].sort(), what);
    for (let count = 0; count <= medium.mutations.length; count += 1) {
      const where = `${what}, ${count} of ${medium.mutations.length}`;
      const dead = replay(medium.mutations.slice(0, count), objects);
      const found = await openers(dead, snapshot);
      // Whoever opened before and shall open after never stops to.
      for (const passphrase of before)
        if (after.includes(passphrase)) assert.ok(found.includes(passphrase), where);
      assert.ok(found.length > 0, where);
      const again = await open(
        dead,
        found.find(passphrase => after.includes(passphrase)),
      );
      await rotateKeys(again, { newPassphrase: 'newer', otherPassphrases: [], dropsOthers: true });
      assert.deepEqual(await openers(dead, snapshot), ['newer'], where);
      assert.equal(
        [...dead.snapshot().keys()].filter(name => /^keys\/[0-9a-f]{64}$/.test(name)).length,
        1,
        where,
      );
    }
  }
});

test('a change of the keys whose every call may fail, done or not, leaves a store that opens', async () => {
  const { objects, snapshot } = await begin();
  for (const [what, { work, after }] of Object.entries(changes)) {
    const attempt = async (fault: BackendFault) => {
      const memory = memoryBackend({ objects });
      const medium = observedBackend(memory, fault);
      const failure = await open(medium)
        .then(work)
        .then(
          () => undefined,
          (error: unknown) => error,
        );
      return { memory, medium, failure };
    };
    const { calls } = (await attempt(() => undefined)).medium;
    for (const { index, operation, name } of calls)
      for (const when of ['before', 'after'] as const) {
        if (when === 'after' && operation !== 'put' && operation !== 'delete') continue; // nothing was done
        const where = `${what}, ${when} call ${index}, ${operation} ${name}`;
        const { memory, failure } = await attempt(call =>
          call.index === index ? { when, error: written } : undefined,
        );
        if (failure !== undefined) assert.ok(isStoreError(failure), `${where}: ${String(failure)}`);
        const found = (await openers(memory, snapshot)).sort();
        if (failure === undefined) assert.deepEqual(found, [...after].sort(), where);
        for (const passphrase of before)
          if (after.includes(passphrase)) assert.ok(found.includes(passphrase), where);
        assert.ok(found.length > 0, where);
      }
  }
});

test('of changes at once, in any order and with deaths in between, each that was told to be done has been', async () => {
  const { objects, snapshot } = await begin();
  for (let seed = 1; seed <= 30; seed += 1) {
    const memory = memoryBackend({ objects });
    const told: string[] = [];
    const party = (name: string, passphrase: string, work: (store: Store) => Promise<unknown>) => ({
      name,
      run: async (view: Backend) => {
        try {
          await work(await open(view, passphrase));
          told.push(name);
        } catch (error) {
          assert.ok(isStoreError(error), `seed ${seed}, ${name}: ${String(error)}`);
        }
      },
    });
    const other = async (store: Store) => {
      const { slots } = await readKeys(store);
      const slot = slots.find(({ isOpener }) => !isOpener);
      if (slot !== undefined) await removeKeySlot(store, slot.id);
    };
    const parties = [
      party('rotate to new', testPassphrase, store =>
        rotateKeys(store, { newPassphrase: 'new', otherPassphrases: [], dropsOthers: true }),
      ),
      party('rotate to newer', 'second', store =>
        rotateKeys(store, { newPassphrase: 'newer', otherPassphrases: [], dropsOthers: true }),
      ),
      party('add', testPassphrase, store =>
        addKeySlot(store, { passphrase: 'new', label: '', kdf: cheapKdf }),
      ),
      party('remove the second', testPassphrase, other),
      party('remove the first', 'second', other),
    ];
    const interleaving = new Interleaving(seed);
    const chosen = parties.filter(() => interleaving.choose(3) > 0);
    const isDeadly = seed % 2 === 0;
    for (const { run } of chosen)
      interleaving.add(memory, run, { dies: isDeadly ? 1 + interleaving.choose(30) : undefined });
    await interleaving.run();
    const where = `seed ${seed}: ${chosen.map(({ name }) => name).join(', ')}; told: ${told.join(', ')}`;
    const found = await openers(memory, snapshot);
    assert.ok(found.length > 0, where);
    const rotations = told.filter(name => name.startsWith('rotate'));
    assert.ok(rotations.length <= 1, where);
    if (rotations.length === 0) continue;
    assert.ok(found.includes(rotations[0] === 'rotate to new' ? 'new' : 'newer'), where);
    for (const old of [testPassphrase, 'second']) assert.ok(!found.includes(old), where);
  }
});
