import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { loadBlake3 } from '../../store/hash.ts';
import { hex, isStoreError, type SessionId, type StoreId } from '../../store/index.ts';
import { type KeyRing, makeRing } from '../../store/keys/ring.ts';
import {
  createSeal,
  createSealTo,
  headerBytes,
  isSignedBy,
  type ObjectKind,
  objectKinds,
  openObject,
  openSeal,
  recipientPublicKey,
  type SealKeys,
  sealObject,
  sealOverheadBytes,
  signerFrom,
} from '../../store/seal/index.ts';
import { seededRandomness } from '../helpers/seeded.ts';

const blake3 = await loadBlake3();
const randomness = seededRandomness('seals');
const random = (): Uint8Array => randomness.bytes(32);
const session = hex(random()) as SessionId;
const name = 'sessions/one';
const kinds = Object.keys(objectKinds).filter(kind => kind !== 'ring') as ObjectKind[];

/** A ring with so many epochs; two rings share nothing. */
function newRing(epochs = 2, storeId = hex(random()) as StoreId): KeyRing {
  return makeRing(
    {
      domain: { idsData: random(), idsMetadata: random(), chunker: random(), store: random() },
      epochs: Array.from({ length: epochs }, (_, index) => ({
        number: index + 1,
        secret: random(),
        createdMs: 0,
      })),
      hosts: [],
    },
    { storeId, blake3 },
  );
}

const ring = newRing();
const damaged = { code: 'STORE_DAMAGED' };

type HeaderChange = (header: Uint8Array) => void;

function at(offset: number, value: number): HeaderChange {
  return header => header.fill(value, offset, offset + 1);
}

/** Writes the header's check anew, as a later version or an attacker would. */
function withHeader(bytes: Uint8Array, change: HeaderChange): Uint8Array {
  const changed = bytes.slice();
  change(changed);
  changed.set(blake3.hash(changed.subarray(0, 80)).subarray(0, 16), 80);
  return changed;
}

describe('a sealed object', () => {
  test('opens to what was sealed, for every kind', () => {
    fc.assert(
      fc.property(fc.constantFrom(...kinds), fc.uint8Array({ maxLength: 2000 }), (kind, body) => {
        const bytes = sealObject(ring, { kind, session, name, randomness }, body);
        assert.equal(bytes.length, headerBytes + sealOverheadBytes + body.length);
        const opened = openObject(ring, bytes, { kind, name });
        assert.deepEqual(opened.body, body);
        assert.equal(opened.facts.session, session);
        assert.equal(opened.facts.epoch, 2);
      }),
    );
  });

  test('is damaged by any flipped bit', () => {
    const bytes = sealObject(ring, { kind: 'session', session, name, randomness }, Buffer.from('a body'));
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = bytes.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      assert.throws(() => openObject(ring, flipped, { kind: 'session', name }), damaged, `bit ${bit}`);
    }
  });

  test('is damaged by any cut, and by bytes after it', () => {
    const bytes = sealObject(ring, { kind: 'session', session, name, randomness }, Buffer.from('a body'));
    for (let length = 0; length < bytes.length; length += 1) {
      assert.throws(() => openObject(ring, bytes.slice(0, length), { kind: 'session', name }), damaged);
    }
    const longer = Buffer.concat([bytes, Uint8Array.of(0)]);
    assert.throws(() => openObject(ring, longer, { kind: 'session', name }), damaged);
  });

  test('of any bytes is damaged or newer, and nothing else is thrown', () => {
    const sealed = sealObject(ring, { kind: 'session', session, name, randomness }, Buffer.from('a body'));
    const hostile = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.array(fc.tuple(fc.nat(sealed.length - 1), fc.nat(255)), { minLength: 1, maxLength: 10 }).map(edits =>
        withHeader(sealed, bytes => {
          for (const [offset, value] of edits) bytes.fill(value, offset, offset + 1);
        }),
      ),
    );
    fc.assert(
      fc.property(hostile, bytes => {
        if (Buffer.compare(bytes, sealed) === 0) return;
        try {
          openObject(ring, bytes, { kind: kinds, name });
        } catch (error) {
          assert.ok(
            isStoreError(error) && ['STORE_DAMAGED', 'STORE_NEWER'].includes(error.code),
            String(error),
          );
          return;
        }
        assert.fail('it opened');
      }),
      { numRuns: 2000 },
    );
  });

  test('does not open under another name, as another kind, in another store or with other keys', () => {
    const body = Buffer.from('a body');
    const storeId = ring.storeId;
    fc.assert(
      fc.property(fc.constantFrom(...kinds), fc.constantFrom(...kinds), (kind, other) => {
        const bytes = sealObject(ring, { kind, session, name, randomness }, body);
        const open = (keys: SealKeys, expected: { kind: ObjectKind; name: string }) => () =>
          openObject(keys, bytes, expected);
        assert.throws(open(ring, { kind, name: 'sessions/two' }), damaged);
        assert.throws(open(ring, { kind, name: 'sessions/on' }), damaged);
        assert.throws(open({ ...ring, storeId: hex(random()) as StoreId }, { kind, name }), damaged);
        assert.throws(open(newRing(2, storeId), { kind, name }), damaged);
        if (other === kind) return;
        assert.throws(open(ring, { kind: other, name }), damaged);
        const disguised = withHeader(bytes, at(5, objectKinds[other].byte));
        assert.throws(() => openObject(ring, disguised, { kind: other, name }), damaged);
      }),
    );
  });

  test('is newer, not damaged, where its header is whole but unknown', () => {
    const bytes = sealObject(ring, { kind: 'session', session, name, randomness }, Buffer.from('a body'));
    const changes: Readonly<Record<string, HeaderChange>> = {
      version: at(4, 2),
      kind: at(5, 200),
      'kind 0': at(5, 0),
      encapsulation: at(6, 2),
      'a reserved byte': at(7, 1),
      'a reserved word': at(15, 1),
      'an epoch that is yet to come': at(8, 3),
    };
    for (const [what, change] of Object.entries(changes)) {
      const changed = withHeader(bytes, change);
      assert.throws(
        () => openObject(ring, changed, { kind: 'session', name }),
        { code: 'STORE_NEWER' },
        what,
      );
    }
  });

  test('is damaged where its header is whole but cannot be', () => {
    const bytes = sealObject(ring, { kind: 'session', session, name, randomness }, Buffer.from('a body'));
    const changes: Readonly<Record<string, HeaderChange>> = {
      magic: at(3, 0x6b),
      'epoch 0': at(8, 0),
      'the epoch before': at(8, 1),
      'a public key for a kind that has none': at(6, 1),
    };
    for (const [what, change] of Object.entries(changes)) {
      const changed = withHeader(bytes, change);
      assert.throws(() => openObject(ring, changed, { kind: 'session', name }), damaged, what);
    }
    const gap = makeRing(
      {
        domain: ring.domain,
        epochs: [1, 3].map(number => ({ number, secret: random(), createdMs: 0 })),
        hosts: [],
      },
      { storeId: ring.storeId, blake3 },
    );
    assert.throws(() => openObject(gap, bytes, { kind: 'session', name }), damaged);
  });

  test('stays readable after the epoch has changed', () => {
    const secrets = [random(), random()];
    const ringWith = (epochs: number): KeyRing =>
      makeRing(
        {
          domain: ring.domain,
          epochs: secrets
            .slice(0, epochs)
            .map((secret, index) => ({ number: index + 1, secret, createdMs: 0 })),
          hosts: [],
        },
        { storeId: ring.storeId, blake3 },
      );
    const bytes = sealObject(
      ringWith(1),
      { kind: 'session', session, name, randomness },
      Buffer.from('a body'),
    );
    assert.equal(
      Buffer.from(openObject(ringWith(2), bytes, { kind: 'session', name }).body).toString(),
      'a body',
    );
    assert.throws(
      () => openObject({ ...ringWith(2), purposeKey: () => undefined }, bytes, { kind: 'session', name }),
      damaged,
    );
  });
});

describe('the parts of an object', () => {
  const seal = createSeal(ring, { kind: 'data-pack', session, name: 'packs/ab/one', randomness });

  test('open in any order, at their own ordinal only', () => {
    const ordinal = fc.oneof(fc.nat(100).map(BigInt), fc.constantFrom(2n ** 64n - 1n, 2n ** 32n, 2n ** 63n));
    fc.assert(
      fc.property(ordinal, ordinal, fc.uint8Array(), (own, other, plain) => {
        const sealed = seal.seal(own, plain);
        assert.deepEqual(seal.open(own, sealed), plain);
        if (other !== own) assert.throws(() => seal.open(other, sealed), damaged);
      }),
    );
  });

  test('of one object do not open in another of the same kind and name', () => {
    const other = createSeal(ring, { kind: 'data-pack', session, name: 'packs/ab/one', randomness });
    assert.throws(() => other.open(0n, seal.seal(0n, Buffer.from('x'))), damaged);
  });

  test('get the same nonce where ordinal and bytes are the same, and else another', () => {
    const part = fc.tuple(fc.nat(5).map(BigInt), fc.uint8Array({ maxLength: 4 }));
    const seen = new Map<string, string>();
    fc.assert(
      fc.property(part, ([ordinal, plain]) => {
        const nonce = hex(seal.seal(ordinal, plain).subarray(0, 12));
        const what = `${ordinal} ${hex(plain)}`;
        assert.equal(seen.get(nonce) ?? what, what);
        seen.set(nonce, what);
      }),
      { numRuns: 2000 },
    );
    assert.ok(seen.size > 500);
  });

  test('are in memory of their own', () => {
    const plain = Uint8Array.of(1, 2, 3);
    const sealed = seal.seal(0n, plain);
    plain.fill(0);
    const opened = seal.open(0n, sealed);
    sealed.fill(0);
    assert.deepEqual(opened, Uint8Array.of(1, 2, 3));
  });

  test('have a key that no other object has', () => {
    const sealed = Array.from({ length: 50 }, () =>
      hex(createSeal(ring, { kind: 'data-pack', session, name, randomness }).seal(0n, new Uint8Array(16))),
    );
    assert.equal(new Set(sealed).size, 50);
  });
});

describe('an object sealed to a public key', () => {
  const options = { kind: 'data-pack', session, name: 'packs/ab/two', randomness } as const;
  const recipient = recipientPublicKey(ring.purposeKey('data', 2)!);

  test('is opened by who has the purpose’s key', () => {
    const seal = createSealTo(recipient, ring, options);
    const sealed = seal.seal(5n, Buffer.from('content'));
    const opened = openSeal(ring, seal.header, options);
    assert.equal(opened.facts.kem, 1);
    assert.equal(Buffer.from(opened.open(5n, sealed)).toString(), 'content');
  });

  test('is not opened with the key of another purpose, epoch or ring', () => {
    const seal = createSealTo(recipientPublicKey(ring.purposeKey('metadata', 2)!), ring, options);
    const sealed = seal.seal(0n, Buffer.from('content'));
    assert.throws(() => openSeal(ring, seal.header, options).open(0n, sealed), damaged);
    assert.throws(() => openSeal(newRing(2, ring.storeId), seal.header, options).open(0n, sealed), damaged);
  });

  test('is damaged by any flipped bit of its header', () => {
    const seal = createSealTo(recipient, ring, options);
    const sealed = seal.seal(0n, Buffer.from('content'));
    for (let bit = 0; bit < headerBytes * 8; bit += 1) {
      const flipped = seal.header.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      assert.throws(() => openSeal(ring, flipped, options), damaged);
      if (bit < 48 * 8 || bit >= 80 * 8) continue;
      const checked = withHeader(flipped, () => {}); // the ephemeral key with a check that fits
      assert.throws(() => openSeal(ring, checked, options).open(0n, sealed), damaged, `bit ${bit}`);
    }
  });

  test('is damaged where its ephemeral key is a point that gives no secret', () => {
    const { header } = createSealTo(recipient, ring, options);
    const points = [
      '00'.repeat(32),
      `01${'00'.repeat(31)}`,
      `ec${'ff'.repeat(30)}7f`,
      `ed${'ff'.repeat(30)}7f`,
    ];
    for (const point of points) {
      const weak = withHeader(header, bytes => bytes.set(Buffer.from(point, 'hex'), 48));
      assert.throws(() => openSeal(ring, weak, options), damaged, point);
    }
  });

  test('is refused for kinds that every host can open', () => {
    assert.throws(() => createSealTo(recipient, ring, { ...options, kind: 'index' }), RangeError);
  });
});

describe('a signature', () => {
  const seal = createSeal(ring, { kind: 'index', session, name: 'index/one', randomness });
  const body = Buffer.from('rows');

  test('fits one body of one object, and the signer', () => {
    const signer = ring.keyHolder();
    const signature = signer.sign(seal.signedBytes(body));
    const other = createSeal(ring, { kind: 'index', session, name: 'index/one', randomness });
    assert.ok(isSignedBy(signer.publicKey, seal.signedBytes(body), signature));
    assert.ok(!isSignedBy(signer.publicKey, seal.signedBytes(Buffer.from('row')), signature));
    assert.ok(!isSignedBy(signer.publicKey, other.signedBytes(body), signature));
    assert.ok(!isSignedBy(ring.keyHolder(1).publicKey, seal.signedBytes(body), signature));
    assert.ok(!isSignedBy(signerFrom(random()).publicKey, seal.signedBytes(body), signature));
  });

  test('of any bytes is no signature', () => {
    const message = seal.signedBytes(body);
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 70 }),
        fc.uint8Array({ maxLength: 40 }),
        (signature, publicKey) => {
          assert.ok(!isSignedBy(ring.keyHolder().publicKey, message, signature));
          assert.ok(!isSignedBy(publicKey, message, signature));
        },
      ),
    );
    assert.ok(!isSignedBy(new Uint8Array(32), message, new Uint8Array(64)));
    assert.ok(
      !isSignedBy(
        Uint8Array.from({ length: 32 }, () => 0xff),
        message,
        new Uint8Array(64),
      ),
    );
  });
});
