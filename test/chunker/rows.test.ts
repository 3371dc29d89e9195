import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Cuts, cutsFrom, type RowCutParams, RowCutter } from '../../chunker/index.ts';
import { pieces, randomBytes, rowBytes, shareInCommon, smallCuts, textBytes, xofOf } from './inputs.ts';
import { referenceRowCuts } from './reference.ts';

/** Copies of the chunks of a stream that arrives in the given buffers. */
function cutRows(buffers: Iterable<Uint8Array>, cuts: Pick<Cuts, 'rows' | 'data'>): Uint8Array[] {
  const cutter = new RowCutter(cuts.rows, cuts.data);
  const chunks: Uint8Array[] = [];
  for (const buffer of buffers) for (const chunk of cutter.write(buffer)) chunks.push(chunk.slice());
  for (const chunk of cutter.finish()) chunks.push(chunk.slice());
  return chunks;
}

const lengthsOf = (chunks: readonly Uint8Array[]): number[] => chunks.map(chunk => chunk.length);
const endsRow = (chunk: Uint8Array): boolean => chunk.at(-1) === 10;

const tinyCuts = {
  rows: { ...smallCuts(1).rows, minBytes: 100, averageBytes: 300, maxBytes: 900 },
  data: { ...smallCuts(1).data, minBytes: 64, averageBytes: 1024, maxBytes: 2048 },
};

test('row cuts are those of the golden file', () => {
  const file = new URL('../../../test/golden/chunker/rows.json', import.meta.url);
  const golden = JSON.parse(readFileSync(file, 'utf8')) as {
    seed: number;
    cases: { kind: string; inputSeed: number; inputBytes: number; sizes: 'v1' | 'small'; cuts: number[] }[];
  };
  assert.ok(golden.cases.length >= 6);
  for (const { kind, inputSeed, inputBytes, sizes, cuts } of golden.cases) {
    const zeros = (_: number, length: number): Uint8Array => new Uint8Array(length);
    const make = { rows: rowBytes, text: textBytes, random: randomBytes, zeros }[kind]!;
    const params = sizes === 'v1' ? cutsFrom(xofOf(golden.seed)) : smallCuts(golden.seed);
    const chunks = cutRows([make(inputSeed, inputBytes)], params);
    assert.deepEqual(lengthsOf(chunks), cuts, `${kind}, ${sizes} sizes`);
  }
});

/** Rows short and long, over the maximum too, perhaps without a newline at the end. */
const anyRows = fc
  .tuple(
    fc.array(
      fc.oneof(
        { weight: 8, arbitrary: fc.nat(200) },
        { weight: 1, arbitrary: fc.nat(6000) },
        { weight: 1, arbitrary: fc.constantFrom(47, 48, 98, 99, 898, 899, 900) }, // with '\n': at the borders
      ),
      { maxLength: 60 },
    ),
    fc.integer({ min: 1, max: 2 ** 31 }),
    fc.boolean(),
  )
  .map(([lengths, seed, isEnded]) => {
    const random = randomBytes(
      seed,
      lengths.reduce((sum, length) => sum + length, 0),
    ).map(byte => (byte === 10 ? 11 : byte));
    const rows = pieces(random, lengths).flatMap(row => [row, Uint8Array.of(10)]);
    if (!isEnded) rows.pop();
    return new Uint8Array(Buffer.concat(rows));
  });

test('row cuts are those of the definition, however the stream was split', () => {
  fc.assert(
    fc.property(anyRows, fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1 }), (bytes, splits) => {
      const buffers: Uint8Array[] = [];
      for (let at = 0, i = 0; at < bytes.length; at += splits[i++ % splits.length]!)
        buffers.push(bytes.subarray(at, at + splits[i % splits.length]!));
      const chunks = cutRows(buffers, tinyCuts);
      assert.deepEqual(lengthsOf(chunks), referenceRowCuts(bytes, tinyCuts.rows, tinyCuts.data));
      assert.deepEqual(Buffer.concat(chunks), Buffer.from(bytes));
    }),
    { numRuns: 150 },
  );
});

test('every chunk ends at a row’s end and is within the maximum', () => {
  const { rows, data } = smallCuts(2);
  const chunks = cutRows([rowBytes(3, 1 << 20)], { rows, data });
  const last = chunks.pop()!;
  assert.ok(last.length <= rows.maxBytes);
  for (const chunk of chunks) {
    assert.ok(endsRow(chunk));
    assert.ok(chunk.length <= rows.maxBytes);
  }
});

test('a row over the maximum is cut by itself', () => {
  const { rows, data } = tinyCuts;
  const large = randomBytes(7, 5000).map(byte => (byte === 10 ? 11 : byte));
  large[4999] = 10;
  const small = new TextEncoder().encode('1\ta\n2\tb\n');
  const chunks = cutRows([small, large, small], { rows, data });
  assert.deepEqual(chunks.at(0), small);
  assert.deepEqual(chunks.at(-1), small);
  assert.deepEqual(cutRows([large], { rows, data }), chunks.slice(1, -1));
  assert.deepEqual(Buffer.concat(chunks.slice(1, -1)), Buffer.from(large));
});

test('rows far larger than a buffer pass through', () => {
  const cuts = cutsFrom(xofOf(5));
  const buffer = textBytes(6, 1 << 20).map(byte => (byte === 10 ? 32 : byte));
  const buffers = [...Array.from({ length: 12 }, () => buffer), Uint8Array.of(10), rowBytes(1, 5000)];
  const chunks = cutRows(buffers, cuts);
  assert.deepEqual(Buffer.concat(chunks), Buffer.concat(buffers));
  assert.equal(chunks.at(-1)!.length, 5000);
  for (const chunk of chunks) assert.ok(chunk.length <= cuts.data.maxBytes);
});

test('chunks have the average size, also where rows end in equal columns', () => {
  for (const seed of [1, 2, 3]) {
    const cuts = smallCuts(seed);
    const mean = (1 << 20) / cutRows([rowBytes(seed, 1 << 20)], cuts).length;
    assert.ok(mean > 0.8 * 4096 && mean < 1.3 * 4096, `${mean.toFixed(0)} bytes`);
  }
});

test('most bytes stay in equal chunks after rows were changed, inserted and removed', () => {
  const cuts = smallCuts(4);
  const before = rowBytes(9, 1 << 20);
  const lines = Buffer.from(before).toString('latin1').split('\n');
  for (let i = 1; i <= 16; i++) {
    const at = Math.floor((i * lines.length) / 18);
    if (i % 3 === 0) lines.splice(at, 1);
    else lines.splice(at, i % 3 === 1 ? 0 : 1, `changed ${i}\tx`);
  }
  const after = new Uint8Array(Buffer.from(lines.join('\n'), 'latin1'));
  assert.ok(shareInCommon(cutRows([before], cuts), cutRows([after], cuts)) > 0.8);
});

test('another key cuts elsewhere', () => {
  const [one, other] = [1, 2].map(seed => cutRows([rowBytes(9, 1 << 19)], smallCuts(seed)));
  assert.ok(shareInCommon(one!, other!) < 0.1);
});

test('an empty stream has no chunk, and a finished cutter starts anew', () => {
  const { rows, data } = smallCuts(1);
  const cutter = new RowCutter(rows, data);
  assert.deepEqual([...cutter.write(new Uint8Array(0)), ...cutter.finish()], []);
  for (let i = 0; i < 2; i++) {
    assert.deepEqual([...cutter.write(Uint8Array.of(65, 10, 66))], []);
    assert.deepEqual([...cutter.finish()], [Uint8Array.of(65, 10, 66)]);
  }
});

test('parameters that make no sense are a RangeError', () => {
  const { rows, data } = smallCuts(1);
  const bad: RowCutParams[] = [
    { ...rows, minBytes: 0 },
    { ...rows, averageBytes: rows.minBytes },
    { ...rows, maxBytes: rows.averageBytes - 1 },
    { ...rows, maxBytes: 4 << 20 },
    { ...rows, key: new Uint8Array(15) },
  ];
  for (const params of bad) assert.throws(() => new RowCutter(params, data), RangeError);
  assert.throws(() => new RowCutter(rows, { ...data, minBytes: 1 }), RangeError);
});
