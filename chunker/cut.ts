import { checkCutParams, windowBytes } from './params.ts';

/** What makes cuts a store's own. Both multipliers are odd and below 2^16, the words are u64. */
export interface CutSeed {
  readonly prefilter: readonly [number, number];
  readonly words: readonly [bigint, bigint, bigint, bigint];
}

export interface CutParams {
  readonly minBytes: number;
  readonly averageBytes: number;
  readonly maxBytes: number;
  readonly seed: CutSeed;
}

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
 * 2. `c` passes the prefilter when `u16(window, 30) * prefilter[0] + u16(window, 28) * prefilter[1]`, taken mod 2^16 as
 *    a signed number, is below -32768 + 64.
 * 3. `c` is a cut when it passes and strong(window) < limit. With u64 arithmetic that wraps, w0…w3 the window's four u64
 *    and s0…s3 the seed's words:
 *      h = (w0 ^ s0) * 0xff51afd7ed558ccd; h ^= h >> 29;   h = (h ^ w1 ^ s1) * 0xc4ceb9fe1a85ec53; h ^= h >> 31;
 *      h = (h ^ w2 ^ s2) * 0x9fb21c651e98df25; h ^= h >> 28;   h = (h ^ w3 ^ s3) * 0xff51afd7ed558ccd;   strong = h >> 32
 *    limit = min(1024 * floor(2^32 / averageBytes / 4), 2^32 - 1) while c < averageBytes, and
 *    limit = min(1024 * floor(2^32 / averageBytes * 4), 2^32 - 1) from c = averageBytes on; both divisions are exact
 *    before the floor. (The prefilter passes 1 in 1024.)
 * 4. The chunk ends at the first cut. Without one: at maxBytes when n ≥ maxBytes; at n when `final`; else unknown (0).
 *
 * Zeros never pass the prefilter: they are cut at maxBytes. Normalised thresholds: Xia et al., FastCDC, USENIX ATC '16.
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
  const cut =
    scan(chunk, first, Math.min(last, averageBytes - 1), limitOf(averageBytes * 4)) ||
    scan(chunk, Math.max(first, averageBytes), last, limitOf(averageBytes / 4));
  if (cut > 0) return cut;
  if (available >= maxBytes) return maxBytes;
  return final ? available : 0;
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

function makeScanner(seed: CutSeed): Scan {
  const strong = makeStrong(seed.words);
  const [late, early] = seed.prefilter;
  // Mod 2^16 and signed, below -32768 + 64: the same as ten leading bits of 1000000000.
  const passes = (newer: number, older: number): boolean =>
    ((Math.imul(newer, late) + Math.imul(older, early)) & 0xffc0) === 0x8000;
  return (chunk, first, last, limit) => {
    if (first > last) return 0;
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const isCut = (end: number): boolean => strong(view, end - windowBytes) < limit;
    let end = first;
    // Four positions a turn out of two words, of which only the low 16 bits of each operand count: 1.5 GB/s, where one
    // position a turn gave 0.9 (EPYC, Node 20).
    for (let old = view.getInt32(first - 4, true); end + 3 < last; end += 4) {
      const young = view.getInt32(end, true);
      const across = (old >>> 24) | (young << 8);
      if (passes(old >>> 16, old) && isCut(end)) return end;
      if (passes(across, old >>> 8) && isCut(end + 1)) return end + 1;
      if (passes(young, old >>> 16) && isCut(end + 2)) return end + 2;
      if (passes(young >>> 8, across) && isCut(end + 3)) return end + 3;
      old = young;
    }
    for (; end <= last; end++) {
      const word = view.getInt32(end - 4, true);
      if (passes(word >>> 16, word) && isCut(end)) return end;
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
