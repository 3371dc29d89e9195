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
  return (chunk, first, last, limit) => {
    if (first > last) return 0;
    // The window's last four bytes, newest on top: two u16 that slide by one byte a step.
    let word = (chunk[first - 4]! << 8) | (chunk[first - 3]! << 16) | (chunk[first - 2]! << 24);
    for (let end = first; end <= last; end++) {
      word = (word >>> 8) | (chunk[end - 1]! << 24);
      // Mod 2^16 and signed, below -32768 + 64: the same as ten leading bits of 1000000000.
      if (((Math.imul(word >>> 16, late) + Math.imul(word & 0xffff, early)) & 0xffc0) !== 0x8000) continue;
      if (strong(chunk, end - windowBytes) < limit) return end;
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
const shifts = [29n, 31n, 28n, 0n] as const;

/** One position in 1024 comes here, so BigInt is quick enough. */
function makeStrong(words: CutSeed['words']): (bytes: Uint8Array, at: number) => number {
  return (bytes, at) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, windowBytes);
    let hash = 0n;
    for (let i = 0; i < 4; i++) {
      hash = BigInt.asUintN(64, (hash ^ view.getBigUint64(8 * i, true) ^ words[i]!) * multipliers[i]!);
      if (i < 3) hash ^= hash >> shifts[i]!;
    }
    return Number(hash >> 32n);
  };
}
