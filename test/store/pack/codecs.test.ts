import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { loadZstd } from '../../../store/compress.ts';
import { loadBlake3 } from '../../../store/hash.ts';
import type { PackId } from '../../../store/index.ts';
import { looksDense } from '../../../store/pack/dense.ts';
import { decodeFrame, encodeFrame } from '../../../store/pack/frame.ts';
import {
  checkRow,
  encodeChunkRow,
  encodeFrameRow,
  type FrameRow,
  type PackRow,
  packName,
} from '../../../store/pack/row.ts';
import {
  decodeFooter,
  decodeTrailer,
  encodeFooter,
  encodeTrailer,
  packBytesOf,
} from '../../../store/pack/trailer.ts';
import { seededRandomness } from '../../helpers/seeded.ts';

const zstd = await loadZstd();
const blake3 = await loadBlake3();
const pack = `${'ab'.repeat(16)}${'cd'.repeat(16)}` as PackId;
const place = { pack, chunkClass: 'data', subject: 'trailer' } as const;

function row(frames: readonly FrameRow[], lengths: readonly number[]): PackRow {
  return {
    pack,
    chunkClass: 'data',
    frames: Buffer.concat(frames.map(encodeFrameRow)),
    chunks: Buffer.concat(lengths.map((length, i) => encodeChunkRow(Buffer.alloc(32, i), length))),
  };
}

const frame: FrameRow = { sealedBytes: 100, rawBytes: 30, codec: 'zstd', chunks: 2 };
const good = row([frame, { ...frame, codec: 'raw', chunks: 1 }], [10, 20, 30]);

test('a pack lies under the first random byte of its id', () => {
  assert.equal(packName(pack), `packs/cd/${pack}`);
});

test('a trailer is read as it was written', () => {
  const back = decodeTrailer(encodeTrailer(good), place);
  assert.deepEqual(Buffer.from(back.frames), good.frames);
  assert.deepEqual(Buffer.from(back.chunks), good.chunks);
});

test('the length of a pack follows from its row', () => {
  const many = row(
    Array.from({ length: 7000 }, () => ({ ...frame, chunks: 1 })),
    Array.from({ length: 7000 }, () => 30),
  );
  for (const each of [row([{ ...frame, chunks: 1 }], [30]), good, many]) {
    const framesBytes = (each.frames.length / 13) * 100;
    assert.equal(packBytesOf(each), 96 + framesBytes + encodeTrailer(each).length + 28 + 16);
  }
});

test('rows that do not agree with themselves are refused', () => {
  const hostile: Record<string, PackRow> = {
    'half a frame row': { ...good, frames: good.frames.subarray(0, 20) },
    'half a chunk row': { ...good, chunks: good.chunks.subarray(0, 30) },
    'no frame': row([], []),
    'a frame without chunks': row([{ ...frame, rawBytes: 0, chunks: 0 }], []),
    'fewer chunks than frames say': row([frame], [30]),
    'more chunks than frames say': row([frame], [10, 20, 5]),
    'an empty chunk': row([frame], [30, 0]),
    'another raw length than the chunks': row([{ ...frame, rawBytes: 31 }], [10, 20]),
    'a frame that is all seal': row([{ ...frame, sealedBytes: 28 }], [10, 20]),
    'a frame past 16 MiB': row([{ ...frame, rawBytes: 2 ** 24 + 1, chunks: 1 }], [2 ** 24 + 1]),
    'frames past 64 MiB': row([{ ...frame, sealedBytes: 2 ** 26 + 1 }], [10, 20]),
    'lengths that overflow 32 bits': row([{ ...frame, rawBytes: 30, chunks: 2 }], [2 ** 32 - 1, 31]),
  };
  for (const [what, each] of Object.entries(hostile)) {
    assert.throws(() => checkRow(each, 'row'), { code: 'STORE_DAMAGED' }, what);
    assert.throws(() => decodeTrailer(encodeTrailer(each), place), { code: 'STORE_DAMAGED' }, what);
  }
  const unknownCodec = Buffer.from(good.frames);
  unknownCodec[8] = 2;
  assert.throws(() => checkRow({ ...good, frames: unknownCodec }, 'row'), { code: 'STORE_NEWER' });
});

test('a footer says how long the trailer is, and no byte of it may differ', () => {
  const footer = encodeFooter(12_345, blake3);
  assert.equal(decodeFooter(footer, { blake3, subject: 'pack' }), 12_345);
  for (let at = 0; at < 16; at++) {
    const flipped = Buffer.from(footer);
    flipped[at]! ^= 1;
    assert.throws(() => decodeFooter(flipped, { blake3, subject: 'pack' }), { code: 'STORE_DAMAGED' });
  }
  assert.throws(() => decodeFooter(footer.subarray(1), { blake3, subject: 'pack' }), {
    code: 'STORE_DAMAGED',
  });
});

test('frames are compressed where it is worth it, and come back the same', () => {
  const noise = Buffer.from(seededRandomness('noise').bytes(300_000));
  const text = Buffer.from('all work and no play '.repeat(15_000));
  const noiseThenText = Buffer.concat([noise, text]);
  for (const [raw, codec] of [
    [noise, 'raw'],
    [noise.subarray(0, 100), 'raw'],
    [text, 'zstd'],
    [text.subarray(0, 100), 'zstd'],
    [noiseThenText, 'zstd'],
  ] as const) {
    const encoded = encodeFrame(raw, zstd);
    assert.equal(encoded.codec, codec);
    assert.deepEqual(Buffer.from(decodeFrame(encoded.bytes, encoded, { zstd, subject: 'frame' })), raw);
    const longer = { ...encoded, rawBytes: encoded.rawBytes + 1 };
    assert.throws(() => decodeFrame(encoded.bytes, longer, { zstd, subject: 'frame' }), {
      code: 'STORE_DAMAGED',
    });
  }
});

test('what is compressed already is told from what is not, without trying', () => {
  const noise = Buffer.from(seededRandomness('dense').bytes(100_000));
  const text = Buffer.from('all work and no play '.repeat(5000));
  const deflated = deflateSync(Buffer.from(noise.toString('base64')));
  for (const [bytes, expected] of [
    [noise, true],
    [deflated, true],
    [noise.subarray(0, 600), true],
    [noise.subarray(0, 500), false],
    [text, false],
    [Buffer.from(noise.toString('base64')), false],
    [Buffer.concat([noise, text]), false],
    [readFileSync(process.execPath).subarray(4_000_000, 5_000_000), false],
  ] as const)
    assert.equal(looksDense(bytes), expected, `${bytes.subarray(0, 20).toString('hex')} of ${bytes.length}`);
});

test('rows of hashes are compressed at the fast level, and text is not', () => {
  const hash = (i: number): string => Buffer.from(blake3.hash(Buffer.from(`${i}`))).toString('hex');
  const hashes = Array.from({ length: 3000 }, (_, i) => `${i}\t${hash(i)}\tOPEN\n`).join('');
  const text = readFileSync(new URL('../../../../docs/reference.md', import.meta.url), 'utf8').repeat(3);
  for (const [content, level] of [
    [hashes, 1],
    [text, 3],
  ] as const) {
    const raw = Buffer.from(content).subarray(0, 200_000);
    assert.deepEqual(encodeFrame(raw, zstd).bytes, zstd.compress(raw, level));
  }
});
