import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  CtidEncoder,
  decodeCtids,
  decodeLive,
  encodeLive,
  type LiveBlock,
  liveRecordBytes,
  rowsPerBlockMax,
} from '../../../../../engine/database/postgres/rows/ctids.ts';

const offsets = fc
  .uniqueArray(fc.integer({ min: 1, max: rowsPerBlockMax }), { maxLength: 40 })
  .map(list => list.sort((a, b) => a - b));

test('places come back as they were, block by block', () => {
  fc.assert(
    fc.property(fc.array(offsets, { maxLength: 30 }), fc.nat(4_000_000_000), (blocks, first) => {
      const encoder = new CtidEncoder({ first, blocks: blocks.length });
      for (const [i, list] of blocks.entries()) for (const offset of list) encoder.add(first + i, offset);
      assert.deepEqual([...decodeCtids(encoder.finish(), blocks.length)], blocks);
    }),
  );
});

test('a full table costs a byte a row', () => {
  const encoder = new CtidEncoder({ first: 0, blocks: 100 });
  for (let block = 0; block < 100; block += 1)
    for (let offset = 1; offset <= 60; offset += 1) encoder.add(block, offset);
  assert.equal(encoder.finish().length, 100 * 61);
});

test('a row that is out of order or outside the range is refused', () => {
  const make = (): CtidEncoder => {
    const encoder = new CtidEncoder({ first: 10, blocks: 2 });
    encoder.add(10, 5);
    return encoder;
  };
  for (const [block, offset] of [
    [10, 5],
    [10, 4],
    [9, 6],
    [12, 1],
    [11, 0],
    [11, rowsPerBlockMax + 1],
  ] as const)
    assert.throws(() => make().add(block, offset), RangeError);
});

test('damaged places are named as damage', () => {
  const cases: [number[], number][] = [
    [[], 1],
    [[1], 1],
    [[1, 0], 1],
    [[1, 0xa4, 0x02], 1], // 292
    [[1, 0x80, 0x00], 1],
    [[1, 0x80, 0x80, 0x01], 1],
    [[0, 0], 1],
  ];
  for (const [bytes, blocks] of cases)
    assert.throws(() => [...decodeCtids(Uint8Array.from(bytes), blocks)], { code: 'STORE_DAMAGED' });
});

test('live rows come back as they were', () => {
  const live = fc
    .uniqueArray(fc.tuple(fc.nat(0xffff_ffff), offsets), { selector: ([block]) => block, maxLength: 20 })
    .map((list): LiveBlock[] =>
      list.sort(([a], [b]) => a - b).map(([block, offsets]) => ({ block, offsets })),
    );
  fc.assert(
    fc.property(live, blocks => {
      const bytes = encodeLive(blocks);
      assert.equal(bytes.length, blocks.length * liveRecordBytes);
      assert.deepEqual(decodeLive(bytes), blocks);
    }),
  );
});

test('live rows of impossible blocks are damage', () => {
  const two = encodeLive([
    { block: 3, offsets: [1] },
    { block: 4, offsets: [291] },
  ]);
  const swapped = Buffer.concat([two.subarray(liveRecordBytes), two.subarray(0, liveRecordBytes)]);
  const tooMany = two.slice();
  tooMany[tooMany.length - 1] = 0xff;
  for (const bytes of [two.subarray(1), swapped, tooMany])
    assert.throws(() => decodeLive(bytes), { code: 'STORE_DAMAGED' });
  assert.throws(() => encodeLive([{ block: 1, offsets: [292] }]), RangeError);
});
