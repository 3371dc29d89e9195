import type { ChunkClass } from '../content.ts';
import { storeError } from '../errors.ts';
import type { PackId } from '../ids.ts';
import { headerBytes, sealOverheadBytes } from '../seal/index.ts';

export type Codec = 'raw' | 'zstd';

/** A frame as trailers and index parts list it. Its place is that of its neighbours before it. */
export interface FrameRow {
  /** In the pack: nonce, ciphertext and tag. */
  readonly sealedBytes: number;
  /** Its chunks together. */
  readonly rawBytes: number;
  readonly codec: Codec;
  readonly chunks: number;
}

/**
 * What a pack holds, as packed columns: `frames` has 13 bytes a frame, `chunks` 20 bytes a chunk, in the order in which
 * they lie in the pack. Offsets are sums, so that no row can point outside or leave a gap.
 */
export interface PackRow {
  readonly pack: PackId;
  readonly chunkClass: ChunkClass;
  readonly frames: Uint8Array;
  readonly chunks: Uint8Array;
  /** Its own header says that it was sealed without the passphrase; known only where the pack itself was asked. */
  readonly isSealedToKey?: true;
}

export const frameRowBytes = 13;
export const chunkRowBytes = 20;
/** Index and memory know a chunk by so many bytes of its id; a read checks all 32. */
export const chunkKeyBytes = 16;
/** The largest chunk, and the largest frame before compression. */
export const frameRawBytesMax = 16 * 1024 * 1024;
/** All frames of a pack together. */
export const packFramesBytesMax = 64 * 1024 * 1024;
export const footerBytes = 16;

const codecs: readonly Codec[] = ['raw', 'zstd'];

/** `packs/<2>/<id>`: spread by the first random byte, since the bytes before it are the session's. */
export function packName(pack: PackId): string {
  return `packs/${pack.slice(32, 34)}/${pack}`;
}

/** Writes one frame's row. */
export function encodeFrameRow(row: FrameRow): Uint8Array {
  const bytes = Buffer.alloc(frameRowBytes);
  bytes.writeUInt32LE(row.sealedBytes, 0);
  bytes.writeUInt32LE(row.rawBytes, 4);
  bytes[8] = codecs.indexOf(row.codec);
  bytes.writeUInt32LE(row.chunks, 9);
  return bytes;
}

/** Reads one frame's row; call checkRow first. */
export function frameRowAt(row: PackRow, ordinal: number): FrameRow {
  const view = viewOf(row.frames);
  const at = ordinal * frameRowBytes;
  return {
    sealedBytes: view.getUint32(at, true),
    rawBytes: view.getUint32(at + 4, true),
    codec: codecs[view.getUint8(at + 8)] ?? 'raw',
    chunks: view.getUint32(at + 9, true),
  };
}

export function frameCount(row: PackRow): number {
  return row.frames.length / frameRowBytes;
}

export function chunkCount(row: PackRow): number {
  return row.chunks.length / chunkRowBytes;
}

/** The first 16 bytes of a chunk's id: a view. */
export function chunkKeyAt(row: PackRow, position: number): Uint8Array {
  return row.chunks.subarray(position * chunkRowBytes, position * chunkRowBytes + chunkKeyBytes);
}

export function chunkLengthAt(row: PackRow, position: number): number {
  return viewOf(row.chunks).getUint32(position * chunkRowBytes + chunkKeyBytes, true);
}

/** Writes one chunk's row. */
export function encodeChunkRow(id: Uint8Array, length: number): Uint8Array {
  return encodeChunkRows([{ ids: id, lengths: [length] }]);
}

/** Writes the rows of frames' chunks, whose ids lie one after the other. */
export function encodeChunkRows(
  frames: readonly { readonly ids: Uint8Array; readonly lengths: ArrayLike<number> }[],
): Uint8Array {
  const bytes = new Uint8Array(frames.reduce((sum, { lengths }) => sum + lengths.length, 0) * chunkRowBytes);
  const view = viewOf(bytes);
  let at = 0;
  for (const { ids, lengths } of frames)
    for (let i = 0; i < lengths.length; i++, at += chunkRowBytes) {
      for (let j = 0; j < chunkKeyBytes; j++) bytes[at + j] = ids[idBytes * i + j]!;
      view.setUint32(at + chunkKeyBytes, lengths[i]!, true);
    }
  return bytes;
}

const idBytes = 32;

/** Returns the row if its columns agree; else STORE_DAMAGED, or STORE_NEWER for a codec that v1 does not have. */
export function checkRow(row: PackRow, subject: string): PackRow {
  const { frames, chunks } = row;
  if (frames.length % frameRowBytes !== 0 || chunks.length % chunkRowBytes !== 0)
    throw damaged(subject, 'its columns are no whole number of rows');
  if (frames.length === 0) throw damaged(subject, 'it has no frame');
  const view = viewOf(frames);
  const chunkView = viewOf(chunks);
  let chunkAt = 0;
  let framesBytes = 0;
  for (let at = 0; at < frames.length; at += frameRowBytes) {
    if (view.getUint8(at + 8) >= codecs.length)
      throw storeError('STORE_NEWER', `Cannot read ${subject}: codec ${view.getUint8(at + 8)} is unknown`, {
        remedy: 'Use a newer version of this program.',
      });
    const rawBytes = view.getUint32(at + 4, true);
    let sum = 0;
    const chunkEnd = chunkAt + view.getUint32(at + 9, true) * chunkRowBytes;
    if (chunkEnd > chunks.length || chunkEnd === chunkAt)
      throw damaged(subject, 'a frame has not its chunks');
    for (; chunkAt < chunkEnd; chunkAt += chunkRowBytes) {
      const length = chunkView.getUint32(chunkAt + chunkKeyBytes, true);
      if (length === 0) throw damaged(subject, 'a chunk is empty');
      sum += length;
    }
    const sealedBytes = view.getUint32(at, true);
    if (sum !== rawBytes || rawBytes > frameRawBytesMax)
      throw damaged(subject, 'a frame has not the length of its chunks');
    if (sealedBytes <= sealOverheadBytes) throw damaged(subject, 'a frame is too short');
    framesBytes += sealedBytes;
  }
  if (chunkAt !== chunks.length) throw damaged(subject, 'a chunk is in no frame');
  if (framesBytes > packFramesBytesMax) throw damaged(subject, 'a pack is too large');
  return row;
}

/** All frames of the pack as they lie in it. */
export function framesBytesOf(row: PackRow): number {
  const view = viewOf(row.frames);
  let sum = 0;
  for (let at = 0; at < row.frames.length; at += frameRowBytes) sum += view.getUint32(at, true);
  return sum;
}

/** Where the first frame begins. */
export const framesStartBytes = headerBytes;

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function damaged(subject: string, state: string): Error {
  return storeError('STORE_DAMAGED', `Cannot read ${subject}: ${state}`, {
    remedy: 'Run verify to see what is affected.',
  });
}
