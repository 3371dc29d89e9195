import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type CborValue, decodeCbor, encodeCbor } from '../../../store/cbor.ts';
import { fieldsOf } from '../../../store/cbor-fields.ts';
import { isStoreError, type PackId, type SessionId } from '../../../store/index.ts';
import { damageRecord } from '../../../store/protocol/records.ts';
import { openRecord, sealRecord } from '../../../store/record.ts';
import { createSeal } from '../../../store/seal/index.ts';
import { insideOf } from '../../../store/store.ts';
import { buildGoldenStore } from '../../helpers/golden-store.ts';
import { makeStore } from '../../helpers/stores.ts';

const { records } = await buildGoldenStore();
const { context } = insideOf(await makeStore());
const { ring, seams } = context;
const session = 'ab'.repeat(32) as SessionId;
const name = `sessions/${session}`;
const place = { kind: 'session', session, name, randomness: seams.randomness } as const;

test('a record whose fields have other types, lengths or values is refused, never half believed', () => {
  const anyField: fc.Arbitrary<CborValue> = fc.oneof(
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.string(),
    fc.uint8Array({ maxLength: 70 }),
    fc.constant([[1]]),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...records),
      fc.nat(7),
      fc.option(anyField),
      ({ codec, value, name }, key, field) => {
        const fields = new Map(codec.encode(value));
        if (field === null) fields.delete(key + 1);
        else fields.set(key + 1, field);
        let read: unknown;
        try {
          read = codec.decode(fieldsOf(decodeCbor(encodeCbor(fields)), name), name);
        } catch (error) {
          assert.ok(isStoreError(error) && /DAMAGED|NEWER/.test(error.code), String(error));
          return;
        }
        const again = new Map([...fields, ...codec.encode(read)]);
        assert.deepEqual(encodeCbor(again), encodeCbor(fields));
      },
    ),
    { numRuns: 500 },
  );
});

test('a record that needs a feature of a later version is left alone', () => {
  const seal = createSeal(ring, place);
  const body = encodeCbor(new Map<number, CborValue>([[0, ['teleport']]]));
  const signed = Buffer.concat([Uint8Array.of(64), ring.keyHolder().sign(seal.signedBytes(body)), body]);
  const bytes = Buffer.concat([seal.header, seal.seal(0n, signed)]);
  assert.throws(() => openRecord(ring, bytes, { kind: 'session', name }), { code: 'STORE_NEWER' });
});

test('a record under another name, of another kind, or with a signature of nobody is refused', () => {
  const bytes = sealRecord(ring, place, new Map([[1, 'x']]));
  assert.equal(openRecord(ring, bytes, { kind: 'session', name }).fields.text(1), 'x');
  const other = `sessions/${'cd'.repeat(32)}`;
  assert.throws(() => openRecord(ring, bytes, { kind: 'session', name: other }), { code: 'STORE_DAMAGED' });
  assert.throws(() => openRecord(ring, bytes, { kind: 'intent', name }), { code: 'STORE_DAMAGED' });
  const seal = createSeal(ring, place);
  const body = encodeCbor(new Map<number, CborValue>([[0, []]]));
  for (const signature of [Buffer.alloc(64), Buffer.alloc(63)]) {
    const plain = Buffer.concat([Uint8Array.of(signature.length), signature, body]);
    const forged = Buffer.concat([seal.header, seal.seal(0n, plain)]);
    assert.throws(() => openRecord(ring, forged, { kind: 'session', name }), { code: 'STORE_DAMAGED' });
  }
});

test('when hosts may write too, what only a key holder may say counts only from a key holder', () => {
  const host = { name: 'attic', publicKey: ring.keyHolder().publicKey, fromEpoch: 1, createdMs: 0 };
  // The key holder's place is taken by another, so that the same signature is now the host's.
  const stranger = { publicKey: new Uint8Array(32), sign: () => new Uint8Array(64) };
  const other = { ...ring, hosts: [host], keyHolder: () => stranger };
  const bytes = sealRecord(ring, place, new Map([[1, 'x']]));
  assert.equal(openRecord(other, bytes, { kind: 'session', name }).signedBy, 'attic');
  const damage = `damage/${session}`;
  const forbidden = sealRecord(ring, { ...place, kind: 'damage', name: damage }, new Map([[1, 'x']]));
  assert.throws(() => openRecord(other, forbidden, { kind: 'damage', name: damage }), {
    code: 'STORE_DAMAGED',
  });
});

test('what an earlier program named twice in a record of damage counts once', () => {
  const record = { pack: 'ab'.repeat(32) as PackId, ordinals: [1, 2], foundMs: 5, lost: [] };
  const twice = new Map([
    ...damageRecord.encode(record),
    [2, [1, 1, 2, 2]],
    [4, new Uint8Array(96).fill(7)],
  ] as const);
  const read = damageRecord.decode(fieldsOf(decodeCbor(encodeCbor(twice)), name), name);
  assert.deepEqual([read.ordinals, read.lost.length], [[1, 2], 1]);
  for (const [key, value] of [
    [2, [2, 1]],
    [4, Buffer.concat([Buffer.alloc(32, 2), Buffer.alloc(32, 1)])],
  ] as const) {
    const mixed = fieldsOf(decodeCbor(encodeCbor(new Map([...twice, [key, value]]))), name);
    assert.throws(() => damageRecord.decode(mixed, name), { code: 'STORE_DAMAGED' });
  }
});
