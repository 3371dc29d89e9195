/** 64 bits as two unsigned halves. */
export interface Hash64 {
  readonly low: number;
  readonly high: number;
}

/** Hashes bytes[from, to). */
export type SipHash = (bytes: Uint8Array, from?: number, to?: number) => Hash64;

/**
 * SipHash-2-4 under a key of 16 bytes (RangeError otherwise); the key is copied. The first four output bytes, read
 * little-endian, are `low`. Source: Aumasson and Bernstein, SipHash: a fast short-input PRF, 2012.
 */
export function sipHash24(key: Uint8Array): SipHash {
  if (key.length !== 16) throw new RangeError(`Cannot hash: key of ${key.length} bytes, need 16`);
  const view = new DataView(key.buffer, key.byteOffset, 16);
  const k0l = view.getInt32(0, true);
  const k0h = view.getInt32(4, true);
  const k1l = view.getInt32(8, true);
  const k1h = view.getInt32(12, true);
  return (bytes, from = 0, to = bytes.length) => {
    let v0l = k0l ^ 0x70736575;
    let v0h = k0h ^ 0x736f6d65;
    let v1l = k1l ^ 0x6e646f6d;
    let v1h = k1h ^ 0x646f7261;
    let v2l = k0l ^ 0x6e657261;
    let v2h = k0h ^ 0x6c796765;
    let v3l = k1l ^ 0x79746573;
    let v3h = k1h ^ 0x74656462;
    const length = to - from;
    const tail = to - (length & 7);
    let at = from;
    let sum = 0;
    let turned = 0;
    // Blocks, then the tail with the length, then four rounds more: two rounds a turn throughout.
    let left = (length >>> 3) + 3;
    while (left > 0) {
      let ml = 0;
      let mh = 0;
      if (at < tail) {
        ml = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
        mh = bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24);
        at += 8;
      } else if (left === 3) {
        mh = length << 24;
        for (let i = 0; tail + i < to; i++) {
          if (i < 4) ml |= bytes[tail + i]! << (8 * i);
          else mh |= bytes[tail + i]! << (8 * (i - 4));
        }
      } else if (left === 2) {
        v2l ^= 0xff;
      }
      v3l ^= ml;
      v3h ^= mh;
      // A round turns v0 and v2 by 32 bits, which swaps their halves: v0's are read swapped, v2's change names from one
      // round to the next. The carry of a sum is worked out bit by bit: a comparison costs three times the whole.
      sum = (v0l + v1l) | 0;
      v0h = (v0h + v1h + (((v0l & v1l) | ((v0l | v1l) & ~sum)) >>> 31)) | 0;
      v0l = sum;
      turned = (v1l << 13) | (v1h >>> 19);
      v1h = ((v1h << 13) | (v1l >>> 19)) ^ v0h;
      v1l = turned ^ v0l;
      sum = (v2l + v3l) | 0;
      v2h = (v2h + v3h + (((v2l & v3l) | ((v2l | v3l) & ~sum)) >>> 31)) | 0;
      v2l = sum;
      turned = (v3l << 16) | (v3h >>> 16);
      v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2h;
      v3l = turned ^ v2l;
      sum = (v0h + v3l) | 0;
      v0h = (v0l + v3h + (((v0h & v3l) | ((v0h | v3l) & ~sum)) >>> 31)) | 0;
      v0l = sum;
      turned = (v3l << 21) | (v3h >>> 11);
      v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h;
      v3l = turned ^ v0l;
      sum = (v2l + v1l) | 0;
      v2h = (v2h + v1h + (((v2l & v1l) | ((v2l | v1l) & ~sum)) >>> 31)) | 0;
      v2l = sum;
      turned = (v1l << 17) | (v1h >>> 15);
      v1h = ((v1h << 17) | (v1l >>> 15)) ^ v2h;
      v1l = turned ^ v2l;
      // The second round.
      sum = (v0l + v1l) | 0;
      v0h = (v0h + v1h + (((v0l & v1l) | ((v0l | v1l) & ~sum)) >>> 31)) | 0;
      v0l = sum;
      turned = (v1l << 13) | (v1h >>> 19);
      v1h = ((v1h << 13) | (v1l >>> 19)) ^ v0h;
      v1l = turned ^ v0l;
      sum = (v2h + v3l) | 0;
      v2l = (v2l + v3h + (((v2h & v3l) | ((v2h | v3l) & ~sum)) >>> 31)) | 0;
      v2h = sum;
      turned = (v3l << 16) | (v3h >>> 16);
      v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2l;
      v3l = turned ^ v2h;
      sum = (v0h + v3l) | 0;
      v0h = (v0l + v3h + (((v0h & v3l) | ((v0h | v3l) & ~sum)) >>> 31)) | 0;
      v0l = sum;
      turned = (v3l << 21) | (v3h >>> 11);
      v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h;
      v3l = turned ^ v0l;
      sum = (v2h + v1l) | 0;
      v2l = (v2l + v1h + (((v2h & v1l) | ((v2h | v1l) & ~sum)) >>> 31)) | 0;
      v2h = sum;
      turned = (v1l << 17) | (v1h >>> 15);
      v1h = ((v1h << 17) | (v1l >>> 15)) ^ v2l;
      v1l = turned ^ v2h;
      v0l ^= ml;
      v0h ^= mh;
      left--;
    }
    return { low: (v0l ^ v1l ^ v2l ^ v3l) >>> 0, high: (v0h ^ v1h ^ v2h ^ v3h) >>> 0 };
  };
}
