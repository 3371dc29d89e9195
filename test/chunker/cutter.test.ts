import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { plainBuffer } from '../../chunker/cut-buffer.ts';
import { type CutParams, Cutter, cutsFrom, findCut, RowCutter } from '../../chunker/index.ts';
import { bodyAt, giveBack, takeInstance } from '../../chunker/instance.ts';
import { randomBytes, rowBytes, smallCuts, textBytes, xofOf } from './inputs.ts';

const hasVectors = takeInstance(1) !== undefined;
const skip = hasVectors ? false : 'the WebAssembly of this machine has no vectors';

/** Lengths of all chunks, by the definition. */
function definedCuts(bytes: Uint8Array, params: CutParams): number[] {
  const lengths: number[] = [];
  for (let from = 0; from < bytes.length; from += lengths.at(-1)!)
    lengths.push(findCut(bytes, params, { from, final: true }));
  return lengths;
}

/** The same by the cutter, into which the bytes come in reads of the given sizes. */
function cutterCuts(bytes: Uint8Array, params: CutParams, reads: readonly number[]): number[] {
  const cutter = new Cutter(params);
  const lengths: number[] = [];
  const take = (final: boolean): void => {
    for (let chunk = cutter.next({ final }); chunk; chunk = cutter.next({ final })) {
      const at = lengths.reduce((sum, length) => sum + length, 0);
      assert.equal(Buffer.compare(chunk, bytes.subarray(at, at + chunk.length)), 0);
      lengths.push(chunk.length);
    }
  };
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const room = cutter.room(Math.min(reads[i % reads.length]!, bytes.length - at));
    assert.ok(room.length > 0);
    room.set(bytes.subarray(at, at + room.length));
    cutter.took(room.length);
    at += room.length;
    take(false);
  }
  take(true);
  cutter.release();
  return lengths;
}

/** A piece again and again: where it is cut at all, it is cut at every turn, whatever the borders. */
function periodicBytes(seed: number, length: number): Uint8Array {
  const piece = randomBytes(seed, 1 + (seed % 97));
  return Uint8Array.from({ length }, (_, i) => piece[i % piece.length]!);
}

const zeros = (_: number, length: number): Uint8Array => new Uint8Array(length);
const kind = fc.constantFrom(randomBytes, randomBytes, textBytes, rowBytes, periodicBytes, zeros);

test('the cutter cuts where the definition does, for any seed, input, sizes and reads', { skip }, () => {
  fc.assert(
    fc.property(
      fc.record({
        seed: fc.integer({ min: 1, max: 2 ** 31 }),
        make: kind,
        minBytes: fc.integer({ min: 32, max: 200 }),
        // Close to each other, so that cuts fall on each border and right beside it.
        moreBytes: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 2000 })),
        mostBytes: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 5000 })),
        length: fc.integer({ min: 0, max: 12_000 }),
        reads: fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 5 }),
      }),
      ({ seed, make, minBytes, moreBytes, mostBytes, length, reads }) => {
        const averageBytes = minBytes + moreBytes;
        const params = {
          ...cutsFrom(xofOf(seed)).data,
          minBytes,
          averageBytes,
          maxBytes: averageBytes + mostBytes,
        };
        const bytes = make(seed, length);
        assert.deepEqual(cutterCuts(bytes, params, reads), definedCuts(bytes, params));
      },
    ),
    { numRuns: 300 },
  );
});

test('the scan finds a cut at every place of its turns, and none past the last position', { skip }, () => {
  const params = { ...smallCuts(9).data, minBytes: 32, averageBytes: 64, maxBytes: 4096 };
  const bytes = randomBytes(21, 1 << 16);
  const found = definedCuts(bytes, params).length;
  assert.ok(found > 40);
  // From every alignment: the first cut of what begins there.
  for (let from = 0; from < 3000; from += 1) {
    const part = bytes.subarray(from, from + 4096 + (from % 71));
    const cutter = new Cutter(params);
    cutter.room(part.length).set(part);
    cutter.took(part.length);
    assert.equal(cutter.next({ final: true })?.length, findCut(part, params, { final: true }));
    cutter.release();
  }
});

test('a source of v1 sizes is cut as the definition has it, whatever lay in the memory before', {
  skip,
}, () => {
  const { data } = cutsFrom(xofOf(77));
  for (const seed of [1, 2]) {
    const bytes = new Uint8Array(Buffer.concat([randomBytes(seed, 3 << 20), new Uint8Array(9 << 20)]));
    assert.deepEqual(cutterCuts(bytes, data, [1 << 20]), definedCuts(bytes, data));
  }
});

test('rows are cut alike by vectors and by the definition', { skip }, () => {
  const cuts = smallCuts(6);
  for (const make of [rowBytes, textBytes, randomBytes, periodicBytes]) {
    const bytes = make(12, 1 << 18);
    const [vector, plain] = [{}, { newBuffer: plainBuffer }].map(options => {
      const cutter = new RowCutter(cuts.rows, cuts.data, options);
      return [...cutter.write(bytes), ...cutter.finish()].map(chunk => chunk.length);
    });
    assert.deepEqual(vector, plain);
  }
});

test('memory that was given back is used again, by one at a time', { skip }, () => {
  const bytes = 3 * 65_536;
  const one = takeInstance(bytes)!;
  one.memory[bodyAt] = 7;
  giveBack(one);
  const [again, other] = [takeInstance(bytes)!, takeInstance(bytes)!];
  assert.equal(again, one);
  assert.notEqual(other, one);
});
