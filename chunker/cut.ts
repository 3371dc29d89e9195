import { type CutParams, type CutSeed, checkCutParams, windowBytes } from './params.ts';

export interface FindCutOptions {
  /** Nothing follows these bytes: what is left is a chunk. */
  readonly final?: boolean;
  /** Where the chunk begins in bytes; 0 unless given. */
  readonly from?: number;
  /**
   * How many bytes of this chunk an earlier call, which returned 0, was given: they are not looked at again.
   * Saves time, never changes a cut.
   */
  readonly seenBytes?: number;
}

/**
 * Length of the chunk that begins at `from`; 0 when that takes more bytes than given (never when `final`, unless
 * nothing is left).
 *
 * The definition, which a faster scan must reproduce. Let `b` be the bytes from `from` on, `n` how many there are, and
 * a *position* `c` a number of bytes, so that a cut at `c` makes the chunk `b[0, c)`. All integers are little-endian.
 * 1. Position `c` is looked at when minBytes ≤ c < maxBytes and c ≤ n. Its window is the 32 bytes `b[c-32, c)`: it may
 *    begin before the minimum, and as minBytes ≥ 32 it never begins before the chunk. So a chunk depends on its own
 *    bytes and on nothing before it.
 * 2. `c` passes the prefilter when H(c), taken mod 2^16 as a signed number, is below -32768 + 64. With A, B, C, D the
 *    multipliers: G(c) = u16(b, c-2) * A + u16(b, c-4) * B, F(c) = G(c) + G(c-4) * C, H(c) = F(c) + F(c-8) * D; that is
 *    a sum over the last 16 bytes of the window, each u16 with its own odd factor. All of it fits 16-bit lanes.
 * 3. `c` is a cut when it passes and strong(window) < limit. With u64 arithmetic that wraps, w0…w3 the window's four u64
 *    and s0…s3 the seed's words:
 *      h = (w0 ^ s0) * 0xff51afd7ed558ccd; h ^= h >> 29;   h = (h ^ w1 ^ s1) * 0xc4ceb9fe1a85ec53; h ^= h >> 31;
 *      h = (h ^ w2 ^ s2) * 0x9fb21c651e98df25; h ^= h >> 28;   h = (h ^ w3 ^ s3) * 0xff51afd7ed558ccd;   strong = h >> 32
 *    limit = min(1024 * floor(2^32 / averageBytes / 4), 2^32 - 1) while c < averageBytes, and
 *    limit = min(1024 * floor(2^32 / averageBytes * 4), 2^32 - 1) from c = averageBytes on, in real numbers up to
 *    the floor. (The prefilter passes 1 in 1024.)
 * 4. The chunk ends at the first cut. Without one: at maxBytes when n ≥ maxBytes; at n when `final`; else unknown (0).
 *
 * Zeros never pass the prefilter: they are cut at maxBytes. Where content varies, chunks are 1.19 times averageBytes in
 * the mean. Normalised thresholds: Xia et al., FastCDC, USENIX ATC '16.
 */
export function findCut(bytes: Uint8Array, params: CutParams, options: FindCutOptions = {}): number {
  const { final = false, from = 0, seenBytes = 0 } = options;
  const scan = scannerOf(params);
  const available = bytes.length - from;
  if (!(available >= 0) || from < 0)
    throw new RangeError(`Cannot cut: ${from} is outside ${bytes.length} bytes`);
  const { minBytes, averageBytes, maxBytes } = params;
  const first = Math.max(minBytes, seenBytes + 1);
  const last = Math.min(available, maxBytes - 1);
  const chunk = bytes.subarray(from, from + Math.min(available, maxBytes));
  const limits = limitsOf(params);
  const cut =
    scan(chunk, first, Math.min(last, averageBytes - 1), limits.below) ||
    scan(chunk, Math.max(first, averageBytes), last, limits.above);
  if (cut > 0) return cut;
  if (available >= maxBytes) return maxBytes;
  return final ? available : 0;
}

/** Of the strong hash, below the average and from it on. */
export function limitsOf({ averageBytes }: CutParams): { readonly below: number; readonly above: number } {
  return { below: limitOf(averageBytes * 4), above: limitOf(averageBytes / 4) };
}

/** The strong hash must be below it, for one cut in `everyBytes` after a prefilter that passes one in 1024. */
function limitOf(everyBytes: number): number {
  return Math.min(1024 * Math.floor(2 ** 32 / everyBytes), 2 ** 32 - 1);
}

/** First cut in the positions [first, last], or 0. */
type Scan = (chunk: Uint8Array, first: number, last: number, limit: number) => number;

/** Checking the parameters and preparing the seed once per set of them; findCut runs once per chunk. */
const scanners = new WeakMap<CutParams, Scan>();

function scannerOf(params: CutParams): Scan {
  let scan = scanners.get(params);
  if (scan === undefined) {
    scan = makeScanner(checkCutParams(params).seed);
    scanners.set(params, scan);
  }
  return scan;
}

/** Positions that are scanned together: few enough to stay in the first-level cache for four passes. */
const blockPositions = 4096;

/**
 * H(c) builds on positions 4, 8 and 12 bytes back, so each residue mod 4 is a chain of its own: a pass a residue, with
 * the last values in registers, then the earliest of their hits: 0.6 GB/s, straight from the definition 0.1 (EPYC,
 * Node 20).
 */
function makeScanner(seed: CutSeed): Scan {
  const strong = makeStrong(seed.words);
  const factors = Int32Array.from(seed.prefilter);
  return (chunk, first, last, limit) => {
    if (first > last) return 0;
    // One by one: taken apart as an array, or caught by an inner function, they make the loop half as fast.
    const a = factors[0]!;
    const b = factors[1]!;
    const c = factors[2]!;
    const d = factors[3]!;
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let start = first; start <= last; start += blockPositions) {
      const blockLast = Math.min(last, start + blockPositions - 1);
      let cut = 0;
      for (let at = start; at < start + 4; at++) {
        const stop = cut > 0 ? cut - 1 : blockLast;
        let g4 = 0;
        let f4 = 0;
        let f8 = 0;
        // Only the low 16 bits count, so what is above them is never cleared. The first three turns fill the chain.
        for (let end = at - 12; end <= stop; end += 4) {
          const word = view.getInt32(end - 4, true);
          const g = (Math.imul(word >>> 16, a) + Math.imul(word, b)) | 0;
          const f = (g + Math.imul(g4, c)) | 0;
          // Signed and below -32768 + 64: the ten leading bits are 1000000000.
          if (((f + Math.imul(f8, d)) & 0xffc0) === 0x8000 && end >= at) {
            if (strong(view, end - windowBytes) < limit) {
              cut = end;
              break;
            }
          }
          g4 = g;
          f8 = f4;
          f4 = f;
        }
      }
      if (cut > 0) return cut;
    }
    return 0;
  };
}

const multipliers = [
  0xff51afd7ed558ccdn,
  0xc4ceb9fe1a85ec53n,
  0x9fb21c651e98df25n,
  0xff51afd7ed558ccdn,
] as const;
const shifts = [29, 31, 28] as const;

/** The strong hash of the 32 bytes at an offset, in halves of 32 bits: BigInt would take as long as the whole scan. */
function makeStrong(words: CutSeed['words']): (view: DataView, at: number) => number {
  const seed = halvesOf(words);
  const factors = halvesOf(multipliers);
  return (view, at) => {
    let low = 0;
    let high = 0;
    for (let i = 0; i < 4; i++) {
      low ^= view.getInt32(at + 8 * i, true) ^ seed[2 * i]!;
      high ^= view.getInt32(at + 8 * i + 4, true) ^ seed[2 * i + 1]!;
      const factorLow = factors[2 * i]!;
      const cross = Math.imul(high, factorLow) + Math.imul(low, factors[2 * i + 1]!);
      const a = Math.imul(low & 0xffff, factorLow & 0xffff);
      const b = Math.imul(low & 0xffff, factorLow >>> 16);
      const c = Math.imul(low >>> 16, factorLow & 0xffff);
      const middle = (a >>> 16) + (b & 0xffff) + (c & 0xffff);
      high =
        (Math.imul(low >>> 16, factorLow >>> 16) + (b >>> 16) + (c >>> 16) + (middle >>> 16) + cross) | 0;
      low = (middle << 16) | (a & 0xffff);
      if (i === 3) break;
      const shift = shifts[i]!;
      low ^= (low >>> shift) | (high << (32 - shift));
      high ^= high >>> shift;
    }
    return high >>> 0;
  };
}

/** The low and the high 32 bits of each word. */
function halvesOf(words: readonly bigint[]): Int32Array {
  return Int32Array.from(words.flatMap(word => [Number(word & 0xffffffffn) | 0, Number(word >> 32n) | 0]));
}
