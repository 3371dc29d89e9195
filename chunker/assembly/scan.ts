/**
 * The scan that `cut.ts` defines, 32 positions a turn in 16-bit lanes. A position is the address that a cut there would
 * have. Lane k of a vector that begins at a position p stands for p + 2k, so even and odd positions have vectors apart,
 * and what a position takes from 4 and 8 bytes back is two and four lanes back in its own.
 */

let factorA: v128 = i16x8.splat(0);
let factorB: v128 = i16x8.splat(0);
let factorC: v128 = i16x8.splat(0);
let factorD: v128 = i16x8.splat(0);
let word0: u64 = 0;
let word1: u64 = 0;
let word2: u64 = 0;
let word3: u64 = 0;

const turnBytes: usize = 32;

export function seedFactors(a: u32, b: u32, c: u32, d: u32): void {
  factorA = i16x8.splat(<i16>a);
  factorB = i16x8.splat(<i16>b);
  factorC = i16x8.splat(<i16>c);
  factorD = i16x8.splat(<i16>d);
}

export function seedWords(w0: u64, w1: u64, w2: u64, w3: u64): void {
  word0 = w0;
  word1 = w1;
  word2 = w2;
  word3 = w3;
}

/** G of the eight positions that begin at p. */
function pairs(p: usize, a: v128, b: v128): v128 {
  return i16x8.add(i16x8.mul(v128.load(p - 2), a), i16x8.mul(v128.load(p - 4), b));
}

/** The eight lanes that end two lanes before the second vector does. */
function twoBack(before: v128, now: v128): v128 {
  return v128.shuffle<i16>(before, now, 6, 7, 8, 9, 10, 11, 12, 13);
}

function fourBack(before: v128, now: v128): v128 {
  return v128.shuffle<i16>(before, now, 4, 5, 6, 7, 8, 9, 10, 11);
}

/** Puts a zero before each of 16 bits. */
function spread(bits: u32): u32 {
  bits = (bits | (bits << 8)) & 0x00ff00ff;
  bits = (bits | (bits << 4)) & 0x0f0f0f0f;
  bits = (bits | (bits << 2)) & 0x33333333;
  return (bits | (bits << 1)) & 0x55555555;
}

/** Of the 32 bytes that end at a position. */
function strong(end: usize): u32 {
  let h = (load<u64>(end - 32) ^ word0) * 0xff51afd7ed558ccd;
  h ^= h >> 29;
  h = (h ^ load<u64>(end - 24) ^ word1) * 0xc4ceb9fe1a85ec53;
  h ^= h >> 31;
  h = (h ^ load<u64>(end - 16) ^ word2) * 0x9fb21c651e98df25;
  h ^= h >> 28;
  h = (h ^ load<u64>(end - 8) ^ word3) * 0xff51afd7ed558ccd;
  return <u32>(h >> 32);
}

/**
 * First cut in the positions [first, last], or 0. Reads up to 20 bytes before the first window's end and 32 past the
 * last one's; what is read there decides about positions that are not asked for only.
 */
export function scan(first: usize, last: usize, limit: u32): usize {
  if (first > last) return 0;
  const a = factorA;
  const b = factorB;
  const c = factorC;
  const d = factorD;
  const below = i16x8.splat(-32768 + 64);
  let evenG = pairs(first - 16, a, b);
  let oddG = pairs(first - 15, a, b);
  // The two lowest lanes have nothing to look back to; nobody looks back to them.
  let evenF = i16x8.add(evenG, i16x8.mul(twoBack(evenG, evenG), c));
  let oddF = i16x8.add(oddG, i16x8.mul(twoBack(oddG, oddG), c));
  for (let p = first; p <= last; p += turnBytes) {
    const evenG0 = pairs(p, a, b);
    const oddG0 = pairs(p + 1, a, b);
    const evenF0 = i16x8.add(evenG0, i16x8.mul(twoBack(evenG, evenG0), c));
    const oddF0 = i16x8.add(oddG0, i16x8.mul(twoBack(oddG, oddG0), c));
    const even0 = i16x8.lt_s(i16x8.add(evenF0, i16x8.mul(fourBack(evenF, evenF0), d)), below);
    const odd0 = i16x8.lt_s(i16x8.add(oddF0, i16x8.mul(fourBack(oddF, oddF0), d)), below);
    evenG = pairs(p + 16, a, b);
    oddG = pairs(p + 17, a, b);
    evenF = i16x8.add(evenG, i16x8.mul(twoBack(evenG0, evenG), c));
    oddF = i16x8.add(oddG, i16x8.mul(twoBack(oddG0, oddG), c));
    const even1 = i16x8.lt_s(i16x8.add(evenF, i16x8.mul(fourBack(evenF0, evenF), d)), below);
    const odd1 = i16x8.lt_s(i16x8.add(oddF, i16x8.mul(fourBack(oddF0, oddF), d)), below);
    if (v128.any_true(v128.or(v128.or(even0, even1), v128.or(odd0, odd1)))) {
      const evens = <u32>i8x16.bitmask(i8x16.narrow_i16x8_s(even0, even1));
      const odds = <u32>i8x16.bitmask(i8x16.narrow_i16x8_s(odd0, odd1));
      for (let bits = spread(evens) | (spread(odds) << 1); bits != 0; bits &= bits - 1) {
        const end = p + ctz(bits);
        if (end > last) return 0;
        if (strong(end) < limit) return end;
      }
    }
  }
  return 0;
}
