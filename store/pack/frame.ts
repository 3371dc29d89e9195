import type { Zstd } from '../compress.ts';
import { storeError } from '../errors.ts';
import { CompressionError } from '../zstd-frame.ts';
import type { Codec } from './row.ts';

/** Chunks below this share a frame with others. */
export const sharedChunkBytesMax = 128 * 1024;
/** A shared frame is closed before it grows past this. */
export const sharedFrameBytesMax = 256 * 1024;

/** What will be sealed of a frame. */
export interface EncodedFrame {
  readonly codec: Codec;
  /** Compressed, or what was given. */
  readonly bytes: Uint8Array;
  readonly rawBytes: number;
}

const sampleBytes = 8 * 1024;
const probedBytesMin = 64 * 1024;
/** Compression below this saving costs more at restore than it is worth. */
const worthwhile = 0.97;
const levelFast = 1;
const levelUsual = 3;

/** Compresses, unless a probe or the result says that it is not worth it. A job over bytes: no state, no I/O. */
export function encodeFrame(raw: Uint8Array, zstd: Zstd): EncodedFrame {
  const rawBytes = raw.length;
  const level = rawBytes < probedBytesMin ? levelUsual : levelFor(raw, zstd);
  if (level > 0) {
    const bytes = zstd.compress(raw, level);
    if (bytes.length < rawBytes * worthwhile) return { codec: 'zstd', bytes, rawBytes };
  }
  return { codec: 'raw', bytes: raw, rawBytes };
}

/**
 * By three samples, since the head of a file says little about the rest; 0: not worth it. Rows of numbers and hashes come
 * out smaller at the fast level, which takes a third of the time; text does not.
 */
function levelFor(raw: Uint8Array, zstd: Zstd): number {
  const middle = Math.floor((raw.length - sampleBytes) / 2);
  const sample = Buffer.concat([
    raw.subarray(0, sampleBytes),
    raw.subarray(middle, middle + sampleBytes),
    raw.subarray(raw.length - sampleBytes),
  ]);
  const fast = zstd.compress(sample, levelFast).length;
  if (fast >= sample.length * worthwhile) return 0;
  return fast <= zstd.compress(sample, levelUsual).length ? levelFast : levelUsual;
}

/** The inverse, checked against the length that the index names; maybe in `scratch`, maybe the bytes that were given. */
export function decodeFrame(
  bytes: Uint8Array,
  { codec, rawBytes }: { readonly codec: Codec; readonly rawBytes: number },
  { zstd, subject, scratch }: { zstd: Zstd; subject: string; scratch?: Uint8Array | undefined },
): Uint8Array {
  if (codec === 'raw') {
    if (bytes.length !== rawBytes)
      throw storeError('STORE_DAMAGED', `Cannot read ${subject}: ${bytes.length} bytes, need ${rawBytes}`);
    return bytes;
  }
  try {
    return zstd.decompress(bytes, rawBytes, scratch);
  } catch (cause) {
    if (!(cause instanceof CompressionError)) throw cause;
    throw storeError('STORE_DAMAGED', `Cannot decompress ${subject}: ${cause.message}`, { cause });
  }
}
