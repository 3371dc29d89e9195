import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CborValue, decodeCbor, encodeCbor } from '../../../store/cbor.ts';
import { fieldsOf } from '../../../store/cbor-fields.ts';
import { ChunkIndex } from '../../../store/chunk-index/chunk-index.ts';
import { decodeIndexPart, encodeIndexPart } from '../../../store/chunk-index/parts.ts';
import type { PackId } from '../../../store/index.ts';
import { encodeChunkRow, encodeFrameRow, type PackRow } from '../../../store/pack/row.ts';

const packId = (digit: string): PackId => digit.repeat(64) as PackId;
const key = (byte: number): Buffer => Buffer.alloc(16, byte);

/** A pack of frames, each of chunks [key, length]. */
function row(
  pack: PackId,
  chunkClass: 'data' | 'metadata',
  frames: readonly (readonly [number, number][])[],
): PackRow {
  return {
    pack,
    chunkClass,
    frames: Buffer.concat(
      frames.map(chunks => {
        const rawBytes = chunks.reduce((sum, [, length]) => sum + length, 0);
        return encodeFrameRow({ sealedBytes: rawBytes + 28, rawBytes, codec: 'raw', chunks: chunks.length });
      }),
    ),
    chunks: Buffer.concat(frames.flat().map(([byte, length]) => encodeChunkRow(key(byte), length))),
  };
}

const rows = [
  row(packId('b'), 'data', [
    [
      [1, 100],
      [2, 50],
    ],
    [[3, 7]],
  ]),
  row(packId('a'), 'metadata', [[[4, 9]], [[1, 100]]]),
];

function decoded(fields: ReadonlyMap<number, CborValue>) {
  return decodeIndexPart(fieldsOf(decodeCbor(encodeCbor(fields)), 'part'), 'part');
}

test('a part is read as it was written, packs in order', () => {
  const replaces = ['c'.repeat(64), '0'.repeat(64)];
  const part = decoded(encodeIndexPart({ rows, replaces }));
  assert.deepEqual(
    part.rows.map(({ pack }) => pack),
    [packId('a'), packId('b')],
  );
  assert.deepEqual(part.replaces, [...replaces].sort());
  for (const { pack, chunkClass, frames, chunks } of part.rows) {
    const original = rows.find(candidate => candidate.pack === pack)!;
    assert.equal(chunkClass, original.chunkClass);
    assert.deepEqual(Buffer.from(frames), original.frames);
    assert.deepEqual(Buffer.from(chunks), original.chunks);
  }
});

test('an index finds every copy of a chunk and where it lies', () => {
  const index = new ChunkIndex();
  for (const each of rows) index.addPack(each);
  for (const each of rows) index.addPack(each); // a pack may be in several parts
  assert.equal(index.chunks, 5);
  assert.deepEqual(
    index.places(key(2)).map(({ pack, ordinal, sealedOffset, sealedBytes, offset, length }) => ({
      pack,
      ordinal,
      sealedOffset,
      sealedBytes,
      offset,
      length,
    })),
    [{ pack: packId('b'), ordinal: 0, sealedOffset: 96, sealedBytes: 178, offset: 100, length: 50 }],
  );
  assert.deepEqual(
    index.places(key(3)).map(({ sealedOffset }) => sealedOffset),
    [96 + 178],
  );
  assert.deepEqual(
    index.places(key(1)).map(({ chunkClass }) => chunkClass),
    ['data', 'metadata'],
  );
  assert.equal(index.lengthOf(key(4), 'metadata'), 9);
  assert.equal(index.lengthOf(key(4), 'data'), undefined);
  assert.equal(index.has(key(5)), false);
  assert.deepEqual(
    index.framesOf(packId('a')).map(({ ordinal }) => ordinal),
    [0, 1],
  );
});

test('a copy in a frame that is known bad is no copy to count on, and the last to be tried', () => {
  const index = new ChunkIndex({
    isSwept: () => false,
    isTombstoned: () => false,
    isDamaged: (pack, ordinal) => pack === packId('b') && ordinal === 0,
  });
  for (const each of rows) index.addPack(each);
  assert.equal(index.has(key(2)), false);
  assert.equal(index.has(key(1)), true);
  assert.deepEqual(
    index.places(key(1)).map(({ pack }) => pack),
    [packId('a'), packId('b')],
  );
  assert.equal(index.lengthOf(key(1), 'data'), undefined);
});

test('a pack that was swept is not in the index', () => {
  const index = new ChunkIndex({
    isSwept: pack => pack === packId('b'),
    isTombstoned: () => false,
    isDamaged: () => false,
  });
  for (const each of rows) index.addPack(each);
  assert.deepEqual(
    index.packSizes().map(({ pack }) => pack),
    [packId('a')],
  );
  assert.equal(index.has(key(2)), false);
});

test('a part that does not keep to the format is refused', () => {
  const good = encodeIndexPart({ rows, replaces: [] });
  const [first, second] = good.get(1) as CborValue[];
  const hostile: Record<string, ReadonlyMap<number, CborValue>> = {
    'packs out of order': new Map([...good, [1, [second!, first!]]]),
    'a pack twice': new Map([...good, [1, [first!, first!]]]),
    'an id of another length': new Map([...good, [2, [new Uint8Array(31)]]]),
    'a class that is none': new Map([
      ...good,
      [1, [[new Uint8Array(32), 2, rows[0]!.frames, rows[0]!.chunks]]],
    ]),
    'no rows at all': new Map([[2, []]]),
    'a row of three': new Map([...good, [1, [[new Uint8Array(32), 0, rows[0]!.frames]]]]),
  };
  for (const [what, fields] of Object.entries(hostile))
    assert.throws(() => decoded(fields), { code: 'STORE_DAMAGED' }, what);
});
