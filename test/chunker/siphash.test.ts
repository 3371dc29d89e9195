import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { sipHash24 } from '../../chunker/index.ts';
import { referenceSipHash } from './reference.ts';

const key = Uint8Array.from({ length: 16 }, (_, i) => i);

function hexOf({ low, high }: { low: number; high: number }): string {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(low, 0);
  bytes.writeUInt32LE(high, 4);
  return bytes.toString('hex');
}

test('SipHash gives the paper’s example', () => {
  const message = Uint8Array.from({ length: 15 }, (_, i) => i);
  assert.deepEqual(sipHash24(key)(message), { high: 0xa129ca61, low: 0x49be45e5 });
});

test('SipHash gives the 64 reference vectors', () => {
  // Output bytes for the messages '', 00, 00 01, … as OpenSSL 3 computes them too (`openssl mac SIPHASH`).
  const file = new URL('../../../test/golden/chunker/siphash.json', import.meta.url);
  const vectors = JSON.parse(readFileSync(file, 'utf8')) as string[];
  assert.equal(vectors.length, 64);
  const hash = sipHash24(key);
  for (const [length, expected] of vectors.entries())
    assert.equal(hexOf(hash(Uint8Array.from({ length }, (_, i) => i))), expected, `${length} bytes`);
});

test('SipHash is that of the paper for any key, message and range', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(20),
      fc.nat(20),
      (anyKey, message, before, after) => {
        const bytes = new Uint8Array(before + message.length + after).fill(0xa5);
        bytes.set(message, before);
        const { low, high } = sipHash24(anyKey)(bytes, before, before + message.length);
        assert.equal((BigInt(high) << 32n) | BigInt(low), referenceSipHash(anyKey, message));
      },
    ),
  );
});

test('SipHash copies its key', () => {
  const mine = key.slice();
  const hash = sipHash24(mine);
  const before = hash(key);
  mine.fill(9);
  assert.deepEqual(hash(key), before);
});

test('a key that has not 16 bytes is a RangeError', () => {
  for (const length of [0, 15, 17, 32]) assert.throws(() => sipHash24(new Uint8Array(length)), RangeError);
});
