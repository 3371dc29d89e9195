import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as cborg from 'cborg';
import fc from 'fast-check';
import { type CborValue, decodeCbor, encodeCbor } from '../../store/cbor.ts';
import { cborDepthMax } from '../../store/cbor-rules.ts';
import { isStoreError } from '../../store/index.ts';

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const { value: anyValue } = fc.letrec<{ value: CborValue }>(tie => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger(),
    int64.map(normal),
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 30 }),
    fc
      .uniqueArray(fc.tuple(fc.nat(0xffff_ffff), tie('value')), { selector: ([key]) => key, maxLength: 30 })
      .map(entries => new Map(entries.sort(([a], [b]) => a - b))),
  ),
}));

/** What comes back of an integer. */
function normal(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function bytes(hexText: string): Uint8Array {
  return new Uint8Array(Buffer.from(hexText.replaceAll(' ', ''), 'hex'));
}

describe('structured data', () => {
  test('gives back every value', () => {
    fc.assert(fc.property(anyValue, value => assert.deepEqual(decodeCbor(encodeCbor(value)), value)));
  });

  test('is what another implementation writes and reads', () => {
    fc.assert(
      fc.property(anyValue, value => {
        const encoded = encodeCbor(value);
        assert.deepEqual(encoded, new Uint8Array(cborg.encode(value, cborg.rfc8949EncodeOptions)));
        assert.deepEqual(cborg.decode(encoded, { useMaps: true, strict: true, allowBigInt: true }), value);
      }),
      { numRuns: 500 },
    );
  });

  test('has integers on both sides of every change of length and type', () => {
    const powers = [0n, 23n, 24n, 255n, 256n, 65535n, 65536n, 2n ** 32n, 2n ** 53n, 2n ** 63n - 1n];
    for (const power of powers.flatMap(value => [value - 1n, value, value + 1n])) {
      for (const value of [power, -power, -1n - power]) {
        if (value >= 2n ** 63n || value < -(2n ** 63n)) continue;
        const encoded = encodeCbor(value);
        assert.deepEqual(encoded, new Uint8Array(cborg.encode(value)), String(value));
        assert.equal(decodeCbor(encoded), normal(value), String(value));
      }
    }
  });

  test('has one encoding for a map, whatever the order of its making', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(0xffff_ffff), { minLength: 2 }), keys => {
        const forward = encodeCbor(new Map(keys.map(key => [key, key])));
        const backward = encodeCbor(new Map([...keys].reverse().map(key => [key, key])));
        assert.deepEqual(forward, backward);
      }),
    );
  });

  test('has the encodings of RFC 8949, appendix A', () => {
    const examples: readonly (readonly [CborValue, string])[] = [
      [0, '00'],
      [23, '17'],
      [24, '18 18'],
      [1000, '19 03e8'],
      [1000000, '1a 000f4240'],
      [1000000000000, '1b 000000e8d4a51000'],
      [-1, '20'],
      [-1000, '39 03e7'],
      [2n ** 63n - 1n, '1b 7fffffffffffffff'],
      [-(2n ** 63n), '3b 7fffffffffffffff'],
      [false, 'f4'],
      [true, 'f5'],
      [null, 'f6'],
      [bytes('01020304'), '44 01020304'],
      ['ü', '62 c3bc'],
      ['', '60'],
      [[1, [2, 3], [4, 5]], '83 01 82 02 03 82 04 05'],
      [
        new Map([
          [1, 2],
          [3, 4],
        ]),
        'a2 01 02 03 04',
      ],
    ];
    for (const [value, encoded] of examples) {
      assert.deepEqual(encodeCbor(value), bytes(encoded), encoded);
      assert.deepEqual(decodeCbor(bytes(encoded)), value, encoded);
    }
  });

  test('gives memory of its own', () => {
    const source = encodeCbor([bytes('0102'), 1]);
    const value = decodeCbor(source);
    source.fill(0xff);
    assert.deepEqual(value, [bytes('0102'), 1]);
    const [first, second] = [encodeCbor([1]), encodeCbor([2])];
    assert.deepEqual([first, second], [bytes('8101'), bytes('8102')]);
  });

  const refused: Readonly<Record<string, string>> = {
    'no bytes': '',
    'bytes after the value': '00 00',
    'a value cut short': '1a 0000',
    'an array cut short': '83 01 02',
    'a map without its last value': 'a1 01',
    'an integer that could be shorter': '18 01',
    'an integer that could be shorter, wide': '1b 0000000000000001',
    'a length that could be shorter': '58 01 00',
    'a negative integer that could be shorter': '38 00',
    'an integer past int64': '1b 8000000000000000',
    'a negative integer past int64': '3b 8000000000000000',
    'a float': 'f9 3c00',
    'a float32': 'fa 3f800000',
    'a float64': 'fb 3ff0000000000000',
    'not a number': 'f9 7e00',
    infinity: 'f9 7c00',
    undefined: 'f7',
    'a simple value': 'f8 ff',
    'an unassigned simple value': 'e0',
    'a tag': 'c0 00',
    'a bignum': 'c2 41 01',
    'an indefinite array': '9f 01 ff',
    'an indefinite map': 'bf 01 02 ff',
    'indefinite bytes': '5f 41 01 ff',
    'indefinite text': '7f 61 61 ff',
    'a break': 'ff',
    'a map with a text key': 'a1 61 61 01',
    'a map with a negative key': 'a1 20 01',
    'a map with a wide key': 'a1 1b 0000000100000000 01',
    'a map with a map as key': 'a1 a0 01',
    'a map with a true key': 'a1 f5 01',
    'a key twice': 'a2 01 02 01 03',
    'keys out of order': 'a2 02 00 01 00',
    'text that is no UTF-8': '61 ff',
    'text with an encoded surrogate': '63 eda080',
    'a huge array': '9b 00ffffffffffffff',
    'huge bytes': '5b 00ffffffffffffff',
    'a reserved length': '1c',
  };
  for (const [what, encoded] of Object.entries(refused)) {
    test(`is not ${what}`, () => {
      assert.throws(() => decodeCbor(bytes(encoded)), { code: 'STORE_DAMAGED' });
    });
  }

  test('is not nested without end', () => {
    const nested = (depth: number): Uint8Array => bytes(`${'81'.repeat(depth)}00`);
    decodeCbor(nested(cborDepthMax));
    assert.throws(() => decodeCbor(nested(cborDepthMax + 1)), { code: 'STORE_DAMAGED' });
    assert.throws(() => decodeCbor(nested(1_000_000)), { code: 'STORE_DAMAGED' });
    assert.throws(() => decodeCbor(bytes('a100'.repeat(100_000))), { code: 'STORE_DAMAGED' });
  });

  test('of any bytes is decoded or damaged, and what is decoded encodes to the same bytes', () => {
    const decode = (input: Uint8Array): void => {
      let value: CborValue;
      try {
        value = decodeCbor(input);
      } catch (error) {
        assert.ok(isStoreError(error) && error.code === 'STORE_DAMAGED', String(error));
        return;
      }
      assert.deepEqual(encodeCbor(value), input);
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), decode), { numRuns: 5000 });
    const flipped = fc.tuple(anyValue, fc.nat(), fc.nat(7)).map(([value, at, bit]) => {
      const encoded = encodeCbor(value);
      encoded[at % encoded.length]! ^= 1 << bit;
      return encoded;
    });
    fc.assert(fc.property(flipped, decode), { numRuns: 500 });
  });

  test('has no place for what its types cannot say', () => {
    const wrong: unknown[] = [
      1.5,
      Number.NaN,
      2 ** 53,
      2n ** 63n,
      -(2n ** 63n) - 1n,
      '\ud800',
      undefined,
      { a: 1 },
      new Map([[-1, 1]]),
      new Map([['a', 1]]),
      new Map([[2 ** 32, 1]]),
      new Date(0),
      () => 0,
    ];
    for (const value of wrong) {
      for (const holder of [value, [value], new Map([[1, value]])]) {
        assert.throws(() => encodeCbor(holder as CborValue), TypeError, String(value));
      }
    }
    let deep: CborValue = 0;
    for (let depth = 0; depth <= cborDepthMax; depth += 1) deep = [deep];
    assert.throws(() => encodeCbor(deep), TypeError);
  });
});
