import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type MemoryObjects, memoryBackend } from '../../../store/backend/index.ts';
import { encodeCbor } from '../../../store/cbor.ts';
import { configName } from '../../../store/config.ts';
import { loadBlake3 } from '../../../store/hash.ts';
import { hex, isStoreError, type SessionId } from '../../../store/index.ts';
import { purposeKeyFrom } from '../../../store/keys/hierarchy.ts';
import {
  type CreateKeysOptions,
  createKeys,
  type Kdf,
  type OpenKeys,
  unlockKeys,
} from '../../../store/keys/index.ts';
import { openKeys } from '../../../store/keys/layout.ts';
import { makeRing, sealRing } from '../../../store/keys/ring.ts';
import { sealSlot } from '../../../store/keys/slots.ts';
import { sealObject } from '../../../store/seal/index.ts';
import { observedBackend } from '../../helpers/faulty-backend.ts';
import { seededSeams } from '../../helpers/seeded.ts';

const blake3 = await loadBlake3();
const seams = seededSeams('keys');
const kdf: Kdf = { type: 'argon2id', memoryKiB: 8, passes: 1 };
const passphrase = 'open sesame';

interface Made {
  readonly objects: Map<string, Uint8Array>;
  readonly keys: OpenKeys;
  readonly slotName: string;
}

async function makeStore(options: Partial<CreateKeysOptions> = {}): Promise<Made> {
  const backend = memoryBackend();
  const keys = await createKeys(backend, { passphrase, seams, kdf, ...options });
  const objects = backend.snapshot();
  const slotName = [...objects.keys()].find(name => /^keys\/[0-9a-f]{64}$/.test(name))!;
  return { objects, keys, slotName };
}

function unlock(objects: MemoryObjects, given = passphrase): Promise<OpenKeys> {
  return unlockKeys(memoryBackend({ objects }), { passphrase: given });
}

/** The objects with one of them replaced, added or, by undefined, removed. */
function withObject(
  objects: MemoryObjects,
  name: string,
  bytes: Uint8Array | undefined,
): Map<string, Uint8Array> {
  const changed = new Map(objects);
  if (bytes === undefined) changed.delete(name);
  else changed.set(name, bytes);
  return changed;
}

/** The object with a change and the checksum that fits, as a later version or an attacker would write it. */
function withCheck(bytes: Uint8Array, change: (bytes: Uint8Array) => void): Uint8Array {
  const changed = bytes.slice();
  change(changed);
  changed.set(blake3.hash(changed.subarray(0, -16)).subarray(0, 16), changed.length - 16);
  return changed;
}

/** A sealed object whose clear header is of another version, with the check that fits. */
function withHeaderVersion(bytes: Uint8Array, version: number): Uint8Array {
  const changed = bytes.slice();
  changed[4] = version;
  changed.set(blake3.hash(changed.subarray(0, 80)).subarray(0, 16), 80);
  return changed;
}

function configWith(bytes: Uint8Array, from: string | RegExp, to: string): Uint8Array {
  const text = Buffer.from(bytes).toString().replace(from, to);
  const withMac = text.slice(0, text.lastIndexOf('check '));
  return Buffer.from(`${withMac}check ${hex(blake3.hash(Buffer.from(withMac)).subarray(0, 16))}\n`);
}

async function addSlot(
  made: Made,
  given: string,
  parameters: Kdf = kdf,
): Promise<{ name: string; bytes: Uint8Array }> {
  const name = `keys/${hex(seams.randomness.bytes(32))}`;
  const { ring, ringKey } = made.keys;
  const bytes = await sealSlot(ringKey, {
    storeId: ring.storeId,
    name,
    passphrase: given,
    kdf: parameters,
    createdMs: 0,
    label: '',
    randomness: seams.randomness,
    blake3,
  });
  return { name, bytes };
}

const made = await makeStore();

describe('a new store', () => {
  test('opens with its passphrase to the keys that made it', async () => {
    const opened = await unlock(made.objects);
    assert.deepEqual(opened.config, made.keys.config);
    assert.equal(opened.ring.storeId, made.keys.ring.storeId);
    assert.deepEqual(opened.ring.domain, made.keys.ring.domain);
    assert.deepEqual(opened.ring.epochSecret(1), made.keys.ring.epochSecret(1));
    opened.checkRing(made.objects.get('keys/ring-1')!, 'keys/ring-1');
  });

  test('is config, one ring and one slot', () => {
    assert.deepEqual([...made.objects.keys()].sort(), [configName, made.slotName, 'keys/ring-1'].sort());
  });

  test('holds no secret in clear', () => {
    const { ring, ringKey } = made.keys;
    const secrets = [
      ...Object.values(ring.domain),
      ring.epochSecret(1),
      ringKey.key,
      Buffer.from(passphrase),
    ];
    for (const [name, bytes] of made.objects) {
      for (const secret of secrets) assert.equal(Buffer.from(bytes).indexOf(secret), -1, name);
    }
  });

  test('opens with scrypt too', async () => {
    const store = await makeStore({ kdf: { type: 'scrypt', cost: 16, blockSize: 1, lanes: 2 } });
    await unlock(store.objects);
  });

  test('takes a passphrase as it was typed, on any keyboard', async () => {
    const store = await makeStore({ passphrase: 'Schl\u00fcssel \u2126' });
    await unlock(store.objects, 'Schlu\u0308ssel \u03a9');
    await assert.rejects(unlock(store.objects, 'Schlussel \u03a9'), { code: 'STORE_WRONG_PASSPHRASE' });
  });

  test('is refused where there is a store, or anything else', async () => {
    const options = { passphrase, seams, kdf };
    await assert.rejects(createKeys(memoryBackend({ objects: made.objects }), options), {
      code: 'STORE_EXISTS',
    });
    const other = memoryBackend({ objects: new Map([['letters/one', new Uint8Array(1)]]) });
    await assert.rejects(createKeys(other, options), { code: 'STORE_NOT_EMPTY' });
  });

  test('is refused without a passphrase', async () => {
    await assert.rejects(makeStore({ passphrase: '' }), { code: 'STORE_WRONG_PASSPHRASE' });
    await assert.rejects(unlock(made.objects, ''), { code: 'STORE_WRONG_PASSPHRASE' });
  });

  test('is made by one of several inits at once, and opens for that one', async () => {
    const backend = memoryBackend();
    const passphrases = ['one', 'two', 'three'];
    const outcomes = await Promise.allSettled(
      passphrases.map(own => createKeys(backend, { passphrase: own, seams, kdf })),
    );
    const winner = outcomes.findIndex(({ status }) => status === 'fulfilled');
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === 'rejected') assert.equal(outcome.reason.code, 'STORE_EXISTS');
      else assert.equal(index, winner);
    }
    await unlockKeys(backend, { passphrase: passphrases[winner]! });
    assert.equal(backend.snapshot().size, 3);
  });

  test('is whole or no store, wherever its init dies', async () => {
    for (const when of ['before', 'after'] as const) {
      for (let index = 1; index <= 4; index += 1) {
        const memory = memoryBackend();
        const dying = observedBackend(memory, call =>
          call.index === index ? { when, error: new Error('killed') } : undefined,
        );
        await assert.rejects(createKeys(dying, { passphrase, seams, kdf }), { message: 'killed' });
        const objects = memory.snapshot();
        if (objects.has(configName)) await unlock(objects);
        else await assert.rejects(unlock(objects), { code: 'STORE_MISSING' });
      }
    }
  });

  test('like another cuts and names as that one, and shares nothing else', async () => {
    const twin = await makeStore({ like: made.keys, passphrase: 'another' });
    const opened = await unlock(twin.objects, 'another');
    const [one, two] = [made.keys.ring, opened.ring];
    for (const label of ['ids/data', 'ids/metadata', 'chunker/cuts/data'] as const) {
      assert.deepEqual(one.domainKey(label), two.domainKey(label), label);
    }
    assert.notEqual(one.storeId, two.storeId);
    assert.notDeepEqual(one.domainKey('store/config'), two.domainKey('store/config'));
    assert.notDeepEqual(one.epochSecret(1), two.epochSecret(1));
    const swapped = withObject(twin.objects, configName, made.objects.get(configName));
    await assert.rejects(unlock(swapped, 'another'), { code: 'STORE_DAMAGED' });
  });
});

describe('opening a store', () => {
  test('tells a wrong passphrase', async () => {
    await assert.rejects(unlock(made.objects, 'open barley'), { code: 'STORE_WRONG_PASSPHRASE' });
  });

  test('tells a place without a store', async () => {
    await assert.rejects(unlock(new Map()), { code: 'STORE_MISSING' });
    await assert.rejects(unlock(withObject(made.objects, configName, undefined)), { code: 'STORE_MISSING' });
  });

  test('tells a store whose config is gone from no store', async () => {
    const gone = withObject(made.objects, configName, undefined);
    for (const name of ['packs/ab/pack', 'manifests/one', 'index/part']) {
      const objects = withObject(gone, name, new Uint8Array(1));
      await assert.rejects(unlock(objects), error => {
        assert.ok(isStoreError(error));
        assert.deepEqual([error.code, error.context['object']], ['STORE_DAMAGED', configName]);
        return true;
      });
    }
  });

  test('finds any flipped byte of config, slot and ring, and names the file', async () => {
    for (const [name, bytes] of made.objects) {
      for (let at = 0; at < bytes.length; at += 1) {
        const flipped = bytes.slice();
        flipped[at]! ^= 1 << (at % 8);
        await assert.rejects(
          unlock(withObject(made.objects, name, flipped)),
          error => isStoreError(error) && error.code === 'STORE_DAMAGED' && error.context['object'] === name,
          `${name} at ${at}`,
        );
      }
    }
  });

  test('finds any of them cut short, empty, longer or huge', async () => {
    for (const [name, bytes] of made.objects) {
      const lengths = [0, 1, 16, 95, bytes.length - 1];
      const wrong = [
        ...lengths.map(length => bytes.slice(0, length)),
        new Uint8Array([...bytes, 0]),
        new Uint8Array(2 ** 25),
      ];
      for (const changed of wrong) {
        await assert.rejects(
          unlock(withObject(made.objects, name, changed)),
          { code: 'STORE_DAMAGED' },
          name,
        );
      }
    }
  });

  test('finds a missing ring and missing slots', async () => {
    for (const name of ['keys/ring-1', made.slotName]) {
      await assert.rejects(unlock(withObject(made.objects, name, undefined)), { code: 'STORE_DAMAGED' });
    }
  });

  test('of any bytes in their place throws store errors only', async () => {
    const names = [...made.objects.keys()];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.uint8Array({ maxLength: 400 }), async (name, bytes) => {
        const hostile =
          name === configName
            ? bytes
            : withCheck(new Uint8Array([...bytes, ...new Uint8Array(16)]), () => {});
        await assert.rejects(unlock(withObject(made.objects, name, hostile)), isStoreError);
      }),
      { numRuns: 300 },
    );
  });

  test('leaves alone what it does not know under keys/', async () => {
    const objects = new Map(made.objects);
    for (const name of [
      'keys/ring-01',
      'keys/ring-0',
      'keys/ring-x',
      'keys/notes',
      'keys/a/b',
      `keys/${'a'.repeat(63)}`,
    ]) {
      objects.set(name, new Uint8Array(3));
    }
    await unlock(objects);
  });
});

describe('a later version', () => {
  const newer = { code: 'STORE_NEWER' };

  test('of config, or with a feature or algorithm that is unknown, is named', async () => {
    const config = made.objects.get(configName)!;
    const changes: readonly (readonly [string | RegExp, string])[] = [
      ['"format": 1', '"format": 2'],
      ['"features": []', '"features": ["frozen-packs"]'],
      ['aes-256-gcm', 'aegis-256'],
    ];
    for (const [from, to] of changes) {
      const changed = configWith(
        Buffer.from(Buffer.from(config).toString().replace('0.1.0', '7.3.0')),
        from,
        to,
      );
      await assert.rejects(
        unlock(withObject(made.objects, configName, changed)),
        error => isStoreError(error) && error.code === 'STORE_NEWER' && error.remedy!.includes('7.3.0'),
        to,
      );
    }
  });

  test('of a slot is newer only where no other slot opens', async () => {
    const slot = made.objects.get(made.slotName)!;
    for (const [offset, value] of [
      [4, 2],
      [5, 3],
      [7, 1],
    ] as const) {
      const changed = withCheck(slot, bytes => bytes.fill(value, offset, offset + 1));
      const objects = withObject(made.objects, made.slotName, changed);
      await assert.rejects(unlock(objects), newer);
      const second = await addSlot(made, 'second');
      await unlock(withObject(objects, second.name, second.bytes), 'second');
    }
  });

  test('of the ring is newer', async () => {
    const ring = made.objects.get('keys/ring-1')!.slice();
    ring[4] = 2;
    ring.set(blake3.hash(ring.subarray(0, 80)).subarray(0, 16), 80);
    await assert.rejects(unlock(withObject(made.objects, 'keys/ring-1', ring)), newer);
  });
});

describe('an attacker who can write to the store', () => {
  const damaged = { code: 'STORE_DAMAGED' };

  test('cannot change config, whatever checksum is put under it', async () => {
    const config = made.objects.get(configName)!;
    const cutTwice = configWith(config, '"minBytes": 524288', '"minBytes": 524289');
    await assert.rejects(unlock(withObject(made.objects, configName, cutTwice)), damaged);
    const otherStore = configWith(config, /"store": "[0-9a-f]{2}/, '"store": "00');
    await assert.rejects(unlock(withObject(made.objects, configName, otherStore)), damaged);
    const absurd = configWith(config, '"minBytes": 524288', '"minBytes": 1');
    await assert.rejects(unlock(withObject(made.objects, configName, absurd)), damaged);
  });

  test('cannot change or move a slot', async () => {
    const slot = made.objects.get(made.slotName)!;
    const relabelled = withCheck(slot, bytes => bytes.fill(0x41, 97, 98));
    await assert.rejects(unlock(withObject(made.objects, made.slotName, relabelled)), damaged);
    const moved = withObject(
      withObject(made.objects, made.slotName, undefined),
      `keys/${'0'.repeat(64)}`,
      slot,
    );
    await assert.rejects(unlock(moved), damaged);
    const otherCommitment = withCheck(slot, bytes => bytes.fill(0, 64, 96));
    await assert.rejects(unlock(withObject(made.objects, made.slotName, otherCommitment)), {
      code: 'STORE_WRONG_PASSPHRASE',
    });
  });

  test('cannot put an older ring, or another store’s, in place of the ring', async () => {
    const ring = made.objects.get('keys/ring-1')!;
    await assert.rejects(unlock(withObject(made.objects, 'keys/ring-2', ring)), damaged);
    const other = await makeStore();
    await assert.rejects(
      unlock(withObject(made.objects, 'keys/ring-1', other.objects.get('keys/ring-1'))),
      damaged,
    );
  });

  test('cannot lock it with a ring that is none without being named', async () => {
    const ring = made.objects.get('keys/ring-1')!;
    const newerRing = withHeaderVersion(ring, 2);
    for (const junk of [Buffer.from('junk'), Buffer.alloc(500, 7), ring, newerRing]) {
      const object = 'keys/ring-99';
      const found = await unlock(withObject(made.objects, object, junk)).catch((error: unknown) => error);
      assert.ok(isStoreError(found));
      assert.deepEqual([found.code, found.context['object']], ['STORE_DAMAGED', object]);
      assert.match(found.remedy!, /ring-2 is not there.*ring-99 out of the store/);
    }
    await assert.rejects(unlock(withObject(made.objects, 'keys/ring-2', newerRing)), { code: 'STORE_NEWER' });
    await assert.rejects(
      unlock(withObject(made.objects, 'keys/ring-99', Buffer.from('junk')), 'wrong'),
      damaged,
    );
  });

  test('cannot make it compute for ever, or take all memory', async () => {
    const slot = made.objects.get(made.slotName)!;
    const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset);
    const argon2id = [
      [2 ** 20 + 1, 1, 1],
      [2 ** 32 - 1, 1, 1],
      [8, 2 ** 32 - 1, 1],
      [2 ** 20, 9, 1],
      [1024, 1, 17],
      [8, 1, 2],
      [0, 1, 1],
      [64, 0, 1],
      [64, 1, 0],
    ];
    const scrypt = [
      [2 ** 31, 8, 1],
      [2 ** 20, 9, 1],
      [2 ** 20, 8, 3],
      [3, 8, 1],
      [1, 8, 1],
      [0, 8, 1],
      [16, 0, 1],
      [16, 2 ** 32 - 1, 1],
    ];
    for (const [kind, parameters] of [
      ...argon2id.map(p => [1, p] as const),
      ...scrypt.map(p => [2, p] as const),
    ]) {
      const hostile = withCheck(slot, bytes => {
        bytes.fill(kind, 5, 6);
        for (const [index, value] of parameters.entries()) view(bytes).setUint32(8 + 4 * index, value, true);
      });
      await assert.rejects(
        unlock(withObject(made.objects, made.slotName, hostile)),
        damaged,
        parameters.join(),
      );
    }
  });

  test('cannot make it try a thousand slots, or several that take the longest time allowed', async () => {
    const many = new Map(made.objects);
    for (let index = 0; index < 64; index += 1)
      many.set(`keys/${index.toString(16).padStart(64, '0')}`, new Uint8Array(9));
    await assert.rejects(unlock(many), damaged);
    const slow = new Map(made.objects);
    const slot = made.objects.get(made.slotName)!;
    for (let index = 0; index < 20; index += 1) {
      const costly = withCheck(slot, bytes => {
        new DataView(bytes.buffer).setUint32(8, 8, true);
        new DataView(bytes.buffer).setUint32(12, 2 ** 20, true); // 8 KiB, 2^20 passes: the whole of what is allowed
      });
      slow.set(`keys/${index.toString(16).padStart(64, '0')}`, costly);
    }
    await unlock(slow); // the cheap one is tried first
  });
});

describe('a store with several slots', () => {
  test('opens with each passphrase, also when another slot is damaged', async () => {
    const second = await addSlot(made, 'second');
    const both = withObject(made.objects, second.name, second.bytes);
    await unlock(both);
    await unlock(both, 'second');
    await assert.rejects(unlock(both, 'third'), { code: 'STORE_WRONG_PASSPHRASE' });
    const torn = withObject(both, made.slotName, new Uint8Array(236));
    await unlock(torn, 'second');
    await assert.rejects(
      unlock(torn),
      error =>
        isStoreError(error) && error.code === 'STORE_DAMAGED' && error.context['object'] === made.slotName,
    );
  });

  test('whose ring is damaged is told to bring that back; that a slot may go is said only where another is there', async () => {
    const ring = made.objects.get('keys/ring-1')!.slice();
    ring[ring.length - 1]! ^= 1;
    const second = await addSlot(made, 'second');
    const torn = withObject(made.objects, 'keys/ring-1', ring);
    for (const [objects, mayGo] of [
      [torn, false],
      [withObject(torn, second.name, second.bytes), true],
    ] as const)
      await assert.rejects(unlock(objects), error => {
        assert.ok(isStoreError(error) && error.code === 'STORE_DAMAGED');
        assert.match(error.remedy!, /^Put keys\/ring-1 back/);
        assert.equal(/remove that slot/.test(error.remedy!), mayGo);
        return true;
      });
  });

  test('whose ring, or only slot, is torn is told that only a copy of it helps', async () => {
    for (const name of ['keys/ring-1', made.slotName]) {
      const torn = made.objects.get(name)!.slice();
      torn[20]! ^= 1;
      await assert.rejects(unlock(withObject(made.objects, name, torn)), error => {
        assert.ok(isStoreError(error) && error.code === 'STORE_DAMAGED');
        assert.ok(error.remedy!.startsWith(`Put ${name} back from a copy of the store: without it`));
        return true;
      });
    }
  });

  test('has its rings checked again while it is open, one under an older ring key by its header', () => {
    const name = 'keys/ring-1';
    const bytes = made.objects.get(name)!;
    const later = { ...made.keys.ringKey, number: 2 };
    const keys = openKeys(makeRing(made.keys.body, made.keys.ring), {
      ...made.keys,
      ringKey: later,
    });
    made.keys.checkRing(bytes, name);
    keys.checkRing(bytes, name);
    for (let at = 0; at < bytes.length; at += 1) {
      const flipped = bytes.slice();
      flipped[at]! ^= 0x10;
      assert.throws(() => made.keys.checkRing(flipped, name), { code: 'STORE_DAMAGED' });
      if (at < 96) assert.throws(() => keys.checkRing(flipped, name), { code: 'STORE_DAMAGED' });
    }
  });
});

describe('a rotation', () => {
  const { ring } = made.keys;
  const ringKey = { number: 2, key: seams.randomness.bytes(32) };
  const body = {
    domain: ring.domain,
    epochs: [1, 2].map(number => ({
      number,
      secret: number === 1 ? ring.epochSecret(1) : seams.randomness.bytes(32),
      createdMs: 0,
    })),
    hosts: [],
  };
  const rotated = openKeys(makeRing(body, { storeId: ring.storeId, blake3 }), { ...made.keys, ringKey });
  const newRing = sealRing(
    body,
    { storeId: ring.storeId, blake3, ringKey, name: 'keys/ring-10' },
    seams.randomness,
  );

  test('counts from the moment of its ring, and the old passphrase no longer opens', async () => {
    const slot = await addSlot({ ...made, keys: rotated }, 'new');
    const half = withObject(made.objects, slot.name, slot.bytes);
    assert.equal((await unlock(half)).ring.epoch, 1);
    await assert.rejects(unlock(half, 'new'), { code: 'STORE_WRONG_PASSPHRASE' });
    const whole = withObject(half, 'keys/ring-10', newRing);
    assert.equal((await unlock(whole, 'new')).ring.epoch, 2);
    await assert.rejects(unlock(whole), { code: 'STORE_WRONG_PASSPHRASE' });
    const older = withObject(whole, 'keys/ring-9', made.objects.get('keys/ring-1'));
    assert.equal((await unlock(older, 'new')).ring.epoch, 2);
  });

  test('can put a ring that needs a feature, which is newer', async () => {
    const { key } = made.keys.ringKey;
    const sealKeys = {
      storeId: ring.storeId,
      blake3,
      epoch: 1,
      purposeKey: () => purposeKeyFrom(key, 'ring'),
    };
    const place = {
      kind: 'ring',
      session: '0'.repeat(64) as SessionId,
      name: 'keys/ring-2',
      randomness: seams.randomness,
    } as const;
    const bytes = sealObject(sealKeys, place, encodeCbor(new Map([[0, ['quantum']]])));
    await assert.rejects(unlock(withObject(made.objects, 'keys/ring-2', bytes)), { code: 'STORE_NEWER' });
  });
});
