import { type CborValue, decodeCbor, encodeCbor } from '../cbor.ts';
import { fieldsOf } from '../cbor-fields.ts';
import type { ChunkClass } from '../content.ts';
import { storeError } from '../errors.ts';
import type { Blake3 } from '../hash.ts';
import type { PackId } from '../ids.ts';
import { sealOverheadBytes } from '../seal/index.ts';
import { checkRow, footerBytes, framesBytesOf, framesStartBytes, type PackRow, viewOf } from './row.ts';

const fields = { features: 0, frames: 1, chunks: 2 } as const;

/** The trailer before sealing. */
export function encodeTrailer(row: PackRow): Uint8Array {
  return encodeCbor(
    new Map<number, CborValue>([
      [fields.features, []],
      [fields.frames, row.frames],
      [fields.chunks, row.chunks],
    ]),
  );
}

/** Reads an opened trailer. The pack's name and class are known from where it was found. */
export function decodeTrailer(
  bytes: Uint8Array,
  { pack, chunkClass, subject }: { pack: PackId; chunkClass: ChunkClass; subject: string },
): PackRow {
  const record = fieldsOf(decodeCbor(bytes, { what: subject }), subject);
  const [feature] = record.list(fields.features);
  if (feature !== undefined)
    throw storeError('STORE_NEWER', `Cannot read ${subject}: it needs the feature ${String(feature)}`, {
      remedy: 'Use a newer Stillpoint with this store.',
    });
  const row = { pack, chunkClass, frames: record.bytes(fields.frames), chunks: record.bytes(fields.chunks) };
  return checkRow(row, subject);
}

/** The last 16 bytes of a pack: the sealed trailer's length u64, and 8 bytes of BLAKE3 over it. */
export function encodeFooter(trailerBytes: number, blake3: Blake3): Uint8Array {
  const footer = Buffer.alloc(footerBytes);
  footer.writeBigUInt64LE(BigInt(trailerBytes));
  footer.set(blake3.hash(footer.subarray(0, 8)).subarray(0, 8), 8);
  return footer;
}

/** The sealed trailer's length. STORE_DAMAGED. */
export function decodeFooter(
  footer: Uint8Array,
  { blake3, subject }: { blake3: Blake3; subject: string },
): number {
  const length = footer.subarray(0, 8);
  if (
    footer.length !== footerBytes ||
    Buffer.compare(blake3.hash(length).subarray(0, 8), footer.subarray(8)) !== 0
  )
    throw storeError('STORE_DAMAGED', `Cannot read ${subject}: its footer does not match its checksum`);
  return Number(viewOf(length).getBigUint64(0, true));
}

/** How large a pack with this content is: every byte of it is accounted for. */
export function packBytesOf(row: PackRow): number {
  // One byte for the map, one for each of three keys, one for the empty list of features.
  const trailerBytes = 5 + byteStringBytes(row.frames.length) + byteStringBytes(row.chunks.length);
  return framesStartBytes + framesBytesOf(row) + trailerBytes + sealOverheadBytes + footerBytes;
}

/** A CBOR byte string of so many bytes with its head. */
function byteStringBytes(length: number): number {
  return length + (length < 24 ? 1 : length < 0x100 ? 2 : length < 0x10000 ? 3 : 5);
}
