import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Blake3, loadBlake3, xofBytesMax } from '../../store/hash.ts';
import { hex } from '../../store/index.ts';

/** The official test vectors: input bytes count from 0 to 250 and over again, keyed output is 131 bytes long. */
const golden = JSON.parse(
  readFileSync(new URL('../../../test/golden/store/blake3.json', import.meta.url), 'utf8'),
) as { key: string; cases: { bytes: number; hash: string; keyed: string }[] };
const key = new TextEncoder().encode(golden.key);
const inputOf = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i % 251);

const available: Blake3[] = [await loadBlake3({ prefer: 'wasm' })];
const fastest = await loadBlake3();
if (fastest.implementation === 'native') available.push(fastest);

for (const blake3 of available) {
  const name = blake3.implementation;

  test(`${name}: hashes are those of the official test vectors`, () => {
    assert.equal(golden.cases.length, 17);
    for (const { bytes, hash, keyed } of golden.cases) {
      const input = inputOf(bytes);
      assert.equal(hex(blake3.hash(input)), hash, `${bytes} bytes`);
      assert.equal(hex(blake3.keyed(key, input)), keyed.slice(0, 64), `${bytes} bytes, keyed`);
      assert.equal(hex(blake3.xof(key, input, 131)), keyed, `${bytes} bytes, long output`);
    }
  });

  test(`${name}: parts hash as if they were joined, whatever their sizes`, () => {
    for (const sizes of [[], [0], [3, 0, 4000, 97], [4096, 4096], [1, 100_000], [1000, 1000, 1000, 1095]]) {
      const parts = sizes.map(size => inputOf(size));
      const joined = new Uint8Array(Buffer.concat(parts));
      assert.deepEqual(blake3.hash(parts), blake3.hash(joined));
      assert.deepEqual(blake3.keyed(key, parts), blake3.keyed(key, joined));
      assert.deepEqual(blake3.xof(key, parts, 40), blake3.xof(key, joined, 40));
    }
  });

  test(`${name}: views of shared memory hash like any other`, () => {
    for (const length of [0, 100, 4095, 4096, 900_000]) {
      const shared = new Uint8Array(new SharedArrayBuffer(length + 16)).subarray(5, 5 + length);
      shared.set(inputOf(length));
      assert.deepEqual(blake3.keyed(key, shared), blake3.keyed(key, inputOf(length)));
    }
  });

  test(`${name}: a longer output begins with the shorter one`, () => {
    const long = blake3.xof(key, inputOf(9), xofBytesMax);
    assert.equal(long.length, xofBytesMax);
    for (const length of [0, 1, 32, 33, 500])
      assert.deepEqual(blake3.xof(key, inputOf(9), length), long.slice(0, length));
  });

  test(`${name}: keys are told apart by their bytes, however many there are`, () => {
    const seen = new Set<string>();
    const changing = new Uint8Array(32);
    for (const length of [10, 10_000]) {
      for (let round = 0; round < 2; round++) {
        for (let i = 0; i < 20; i++) {
          changing[0] = i;
          seen.add(hex(blake3.keyed(changing, inputOf(length))));
        }
      }
    }
    assert.equal(seen.size, 40);
  });

  test(`${name}: results are plain bytes of their own`, () => {
    const first = blake3.keyed(key, inputOf(5000));
    const copy = first.slice();
    blake3.keyed(key, inputOf(5001));
    blake3.hash(inputOf(1));
    assert.deepEqual(first, copy);
    assert.equal(first.buffer.byteLength, 32);
    assert.equal(Object.getPrototypeOf(first), Uint8Array.prototype);
  });

  test(`${name}: 200,000 hashes within one turn do not pile up memory`, () => {
    const input = inputOf(100);
    const large = inputOf(4096);
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 200_000; i++) {
      input[0] = i;
      blake3.keyed(key, input);
      if (i % 10 === 0) blake3.hash(large);
    }
    const grownBytes = process.memoryUsage().rss - before;
    assert.ok(grownBytes < 48 * 1024 * 1024, `grown by ${grownBytes} bytes`);
  });

  test(`${name}: a key or a length that makes no sense is a RangeError`, () => {
    for (const length of [0, 31, 33]) {
      assert.throws(() => blake3.keyed(new Uint8Array(length), key), RangeError);
      assert.throws(() => blake3.xof(new Uint8Array(length), key, 1), RangeError);
    }
    for (const length of [-1, xofBytesMax + 1, 1.5, Number.NaN])
      assert.throws(() => blake3.xof(key, key, length), RangeError);
  });
}

test('the native build is what this platform has', {
  skip: fastest.implementation !== 'native',
}, async () => {
  assert.equal((await loadBlake3({ prefer: 'native' })).implementation, 'native');
});

test('all implementations agree on lengths around every border', t => {
  t.diagnostic(`ran with ${available.map(one => one.implementation).join(' and ')}`);
  const [first, ...others] = available;
  for (const border of [64, 1024, 2048, 4096, 16_384, 65_536]) {
    for (const length of [border - 1, border, border + 1]) {
      for (const other of others)
        assert.deepEqual(other.keyed(key, inputOf(length)), first!.keyed(key, inputOf(length)));
    }
  }
});
