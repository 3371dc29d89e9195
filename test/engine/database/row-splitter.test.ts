import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashedPieceBytes, sipHash24 } from '../../../chunker/index.ts';
import {
  addDigests,
  DigestSum,
  equalDigests,
  type RowDigest,
  subtractDigest,
} from '../../../engine/database/digest.ts';
import { RowSplitter } from '../../../engine/database/row-splitter.ts';

const key = Uint8Array.from({ length: 16 }, (_, i) => i);
const mask64 = 2n ** 64n - 1n;

/** The definition, written down once more and slowly. */
function hashOf(row: Uint8Array): bigint {
  const hash = sipHash24(key);
  const of = (bytes: Uint8Array): bigint => {
    const { low, high } = hash(bytes);
    return (BigInt(high) << 32n) | BigInt(low);
  };
  if (row.length <= hashedPieceBytes) return of(row);
  const hashes = Buffer.alloc(8 * Math.ceil(row.length / hashedPieceBytes));
  for (let at = 0; at < row.length; at += hashedPieceBytes)
    hashes.writeBigUInt64LE(of(row.subarray(at, at + hashedPieceBytes)), (8 * at) / hashedPieceBytes);
  return of(hashes);
}

function digestOf(rows: readonly Uint8Array[]): RowDigest {
  return { rows: rows.length, sum: rows.reduce((sum, row) => (sum + hashOf(row)) & mask64, 0n) };
}

/** Pushes a stream through in pieces of the given sizes. */
function split(stream: Uint8Array, sizes: readonly number[], withPlaces: boolean) {
  const digest = new DigestSum(key);
  const places: [number, number][] = [];
  const onPlace = withPlaces
    ? (block: number, offset: number) => void places.push([block, offset])
    : undefined;
  const splitter = new RowSplitter({ digest, onPlace });
  const out: Uint8Array[] = [];
  const target = new Uint8Array(stream.length + 1);
  let at = 0;
  for (let i = 0; at < stream.length; i += 1) {
    const piece = stream.subarray(at, at + (sizes[i % sizes.length] ?? stream.length));
    out.push(target.slice(0, splitter.split(piece, target)));
    at += piece.length;
  }
  return { places, out: Buffer.concat(out), digest: digest.result(), isBetweenRows: splitter.isBetweenRows };
}

const row = fc.uint8Array({ maxLength: 40 }).map(bytes => bytes.map(byte => (byte === 10 ? 11 : byte)));
const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 10 });

test('rows are the same however the stream is split', () => {
  fc.assert(
    fc.property(fc.array(row), sizes, (rows, pieces) => {
      const placed = rows.map((bytes, i) => Buffer.concat([Buffer.from(`(${i},${1 + (i % 291)})\t`), bytes]));
      const stream = Buffer.concat(placed.flatMap(one => [one, Buffer.from('\n')]));
      const found = split(stream, pieces, true);
      assert.deepEqual(found.out, Buffer.concat(rows.flatMap(one => [Buffer.from(one), Buffer.from('\n')])));
      assert.deepEqual(
        found.places,
        rows.map((_, i) => [i, 1 + (i % 291)]),
      );
      assert.deepEqual(found.digest, digestOf(rows));
      assert.equal(found.isBetweenRows, true);
    }),
  );
});

test('rows without places, and rows without columns', () => {
  fc.assert(
    fc.property(fc.array(row), sizes, (rows, pieces) => {
      const stream = Buffer.concat(rows.flatMap(one => [Buffer.from(one), Buffer.from('\n')]));
      const found = split(stream, pieces, false);
      assert.deepEqual(found.out, stream);
      assert.deepEqual(found.digest, digestOf(rows));
    }),
  );
  const bare = split(Buffer.from('(0,1)\n(0,2)\n'), [3], true);
  assert.equal(bare.out.toString(), '\n\n');
  assert.deepEqual(bare.digest, digestOf([new Uint8Array(), new Uint8Array()]));
});

test('a row of several pieces hashes by pieces, wherever the buffers end', () => {
  for (const extra of [-1, 0, 1, hashedPieceBytes, hashedPieceBytes + 7]) {
    const long = new Uint8Array(hashedPieceBytes + extra).map((_, i) => 65 + (i % 23));
    const rows = [Buffer.from('short'), long, Buffer.from('end')];
    const stream = Buffer.concat(rows.flatMap(one => [Buffer.from(one), Buffer.from('\n')]));
    for (const size of [8191, 65_536, stream.length])
      assert.deepEqual(split(stream, [size], false).digest, digestOf(rows), `${extra} in ${size}`);
  }
});

test('a stream that breaks off inside a row is seen', () => {
  for (const text of ['(0,1)\tab', '(0,1', '(0,1)\t', '('])
    assert.equal(split(Buffer.from(text), [2], true).isBetweenRows, false, text);
  assert.equal(split(Buffer.from('ab'), [1], false).isBetweenRows, false);
});

test('a row without a place is refused', () => {
  for (const text of ['0,1)\ta\n', '(0,1)a\n', '(0;1)\ta\n', '(x,1)\ta\n'])
    assert.throws(() => split(Buffer.from(text), [4], true), RangeError);
});

test('digests add up and take away, modulo 2^64', () => {
  const digest = fc.record({ rows: fc.nat(), sum: fc.bigInt({ min: 0n, max: mask64 }) });
  fc.assert(
    fc.property(digest, digest, (a, b) => {
      assert.equal(equalDigests(subtractDigest(addDigests(a, b), b), a), true);
      assert.deepEqual(addDigests(a, b), addDigests(b, a));
      assert.equal(addDigests(a, b).sum <= mask64, true);
    }),
  );
});
