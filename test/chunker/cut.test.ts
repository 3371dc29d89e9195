import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { type CutParams, cutsFrom, findCut } from '../../chunker/index.ts';
import { pieces, randomBytes, rowBytes, shareInCommon, smallCuts, textBytes, xofOf } from './inputs.ts';
import { referenceCuts } from './reference.ts';

function cutAll(bytes: Uint8Array, params: CutParams): number[] {
  const lengths: number[] = [];
  let from = 0;
  for (;;) {
    const length = findCut(bytes, params, { from, final: true });
    if (length === 0) return lengths;
    lengths.push(length);
    from += length;
  }
}

/** Cuts bytes that arrive in buffers of the given lengths, again and again until all have arrived. */
function cutArriving(
  bytes: Uint8Array,
  params: CutParams,
  arriving: { lengths: readonly number[]; remembers: boolean },
): number[] {
  const cuts: number[] = [];
  let from = 0;
  let end = 0;
  let seenBytes = 0;
  for (let turn = 0; from < bytes.length; turn++) {
    end = Math.min(bytes.length, end + arriving.lengths[turn % arriving.lengths.length]!);
    const final = end === bytes.length;
    for (;;) {
      const options = arriving.remembers ? { from, final, seenBytes } : { from, final };
      const length = findCut(bytes.subarray(0, end), params, options);
      seenBytes = length === 0 ? end - from : 0;
      if (length === 0) break;
      cuts.push(length);
      from += length;
    }
  }
  return cuts;
}

const kinds = { random: randomBytes, text: textBytes, rows: rowBytes };

test('cuts are those of the golden file', () => {
  const file = new URL('../../../test/golden/chunker/data.json', import.meta.url);
  const golden = JSON.parse(readFileSync(file, 'utf8')) as {
    seed: number;
    cases: { kind: string; inputSeed: number; inputBytes: number; sizes: 'v1' | 'small'; cuts: number[] }[];
  };
  assert.ok(golden.cases.length >= 6);
  for (const { kind, inputSeed, inputBytes, sizes, cuts } of golden.cases) {
    const make = { ...kinds, zeros: (_: number, length: number) => new Uint8Array(length) }[kind]!;
    const params = (sizes === 'v1' ? cutsFrom(xofOf(golden.seed)) : smallCuts(golden.seed)).data;
    assert.deepEqual(cutAll(make(inputSeed, inputBytes), params), cuts, `${kind}, ${sizes} sizes`);
  }
});

test('cuts are those of the definition, for any seed, input and sizes', () => {
  fc.assert(
    fc.property(
      fc.record({
        seed: fc.integer({ min: 1, max: 2 ** 31 }),
        kind: fc.constantFrom(...Object.values(kinds)),
        minBytes: fc.integer({ min: 32, max: 600 }),
        moreBytes: fc.integer({ min: 0, max: 2000 }),
        mostBytes: fc.integer({ min: 0, max: 5000 }),
        skipped: fc.integer({ min: 0, max: 5 }),
      }),
      ({ seed, kind, minBytes, moreBytes, mostBytes, skipped }) => {
        const averageBytes = minBytes + moreBytes;
        const params = {
          ...cutsFrom(xofOf(seed)).data,
          minBytes,
          averageBytes,
          maxBytes: averageBytes + mostBytes,
        };
        const bytes = kind(seed, 30_000).subarray(skipped);
        assert.deepEqual(cutAll(bytes, params), referenceCuts(bytes, params));
      },
    ),
    { numRuns: 40 },
  );
});

test('cuts do not depend on how the input was split into buffers', () => {
  const params = { ...smallCuts(3).data, minBytes: 256, averageBytes: 1024, maxBytes: 4096 };
  const bytes = randomBytes(11, 60_000);
  const expected = cutAll(bytes, params);
  assert.ok(expected.length > 20);
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 20 }),
      fc.boolean(),
      (lengths, remembers) => {
        assert.deepEqual(cutArriving(bytes, params, { lengths, remembers }), expected);
      },
    ),
    { numRuns: 50 },
  );
});

test('chunks are about 1.19 times the average whatever the seed, less exactly where half of a row repeats', () => {
  const limits = { random: [1.1, 1.3], text: [1.1, 1.3], rows: [0.9, 2.2] } as const;
  for (const [kind, [low, high]] of Object.entries(limits)) {
    const bytes = kinds[kind as keyof typeof kinds](5, 1 << 20);
    const lengths = [1, 2, 3, 4, 5, 6].flatMap(seed => cutAll(bytes, smallCuts(seed).data));
    const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length / (16 * 1024);
    assert.ok(mean > low && mean < high, `${kind}: ${mean.toFixed(2)} times the average`);
  }
});

test('chunks keep to the minimum and the maximum, but for the last', () => {
  const params = { ...smallCuts(4).data, maxBytes: 20 * 1024 };
  const lengths = cutAll(randomBytes(6, 1 << 20), params);
  const last = lengths.pop()!;
  assert.ok(last > 0 && last <= params.maxBytes);
  for (const length of lengths) assert.ok(length >= params.minBytes && length <= params.maxBytes);
  assert.ok(lengths.includes(params.maxBytes));
});

test('zeros are cut at the maximum', () => {
  const params = smallCuts(1).data;
  const { maxBytes } = params;
  assert.deepEqual(cutAll(new Uint8Array(2 * maxBytes + 5), params), [maxBytes, maxBytes, 5]);
});

test('most bytes stay in equal chunks after insertions', () => {
  const params = smallCuts(7).data;
  for (const [kind, make] of Object.entries(kinds)) {
    const before = make(8, 2 << 20);
    const parts: Uint8Array[] = [];
    for (let i = 0; i < 8; i++)
      parts.push(before.subarray(i << 18, (i + 1) << 18), randomBytes(i + 1, 1 + 13 * i));
    const after = new Uint8Array(Buffer.concat(parts));
    const share = shareInCommon(pieces(before, cutAll(before, params)), pieces(after, cutAll(after, params)));
    assert.ok(share > 0.8, `${kind}: ${share.toFixed(3)} of the bytes`);
  }
});

test('another seed cuts elsewhere', () => {
  const bytes = randomBytes(9, 1 << 20);
  const [one, other] = [1, 2].map(seed => pieces(bytes, cutAll(bytes, smallCuts(seed).data)));
  assert.ok(shareInCommon(one!, other!) < 0.05);
});

test('a chunk depends on its own bytes only', () => {
  const params = smallCuts(2).data;
  const bytes = randomBytes(10, 1 << 18);
  const tail = bytes.subarray(1000);
  assert.equal(findCut(bytes, params, { from: 1000 }), findCut(tail, params));
  const beforeIt = new Uint8Array(Buffer.concat([randomBytes(12, 1000), tail]));
  assert.equal(findCut(beforeIt, params, { from: 1000 }), findCut(tail, params));
});

test('too few bytes give 0 until they are final', () => {
  const params = smallCuts(2).data;
  assert.equal(findCut(new Uint8Array(100), params), 0);
  assert.equal(findCut(new Uint8Array(100), params, { final: true }), 100);
  assert.equal(findCut(new Uint8Array(100), params, { final: true, from: 40 }), 60);
  assert.equal(findCut(new Uint8Array(params.maxBytes), params), params.maxBytes);
  assert.equal(findCut(new Uint8Array(params.maxBytes - 1), params), 0);
});

test('an empty input has no chunk', () => {
  const params = smallCuts(2).data;
  assert.equal(findCut(new Uint8Array(0), params, { final: true }), 0);
  assert.equal(findCut(new Uint8Array(9), params, { final: true, from: 9 }), 0);
  assert.equal(findCut(new Uint8Array(0), params), 0);
});

test('shared memory is cut like any other', () => {
  const params = smallCuts(2).data;
  const bytes = randomBytes(13, 1 << 17);
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length + 3), 3);
  shared.set(bytes);
  assert.deepEqual(cutAll(shared, params), cutAll(bytes, params));
});

test('parameters that make no sense are a RangeError', () => {
  const good = smallCuts(1).data;
  const bytes = new Uint8Array(10);
  const seed = good.seed;
  const bad: CutParams[] = [
    { ...good, minBytes: 31 },
    { ...good, minBytes: good.averageBytes + 1 },
    { ...good, averageBytes: good.maxBytes + 1 },
    { ...good, averageBytes: good.averageBytes + 0.5 },
    { ...good, maxBytes: Number.NaN },
    { ...good, maxBytes: 2 ** 31 },
    { ...good, seed: { ...seed, prefilter: [2, 3, 5, 7] } },
    { ...good, seed: { ...seed, prefilter: [3, 5, 7, 65537] } },
    { ...good, seed: { ...seed, words: [-1n, 0n, 0n, 0n] } },
    { ...good, seed: { ...seed, words: [0n, 0n, 0n, 1n << 64n] } },
  ];
  for (const params of bad) assert.throws(() => findCut(bytes, params), RangeError);
  for (const from of [-1, 11, Number.NaN]) assert.throws(() => findCut(bytes, good, { from }), RangeError);
});
