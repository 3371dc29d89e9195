/** SipHash-2-4, as `siphash.ts` next door defines it. Keys lie in memory, 16 bytes each. */

let v0: u64 = 0;
let v1: u64 = 0;
let v2: u64 = 0;
let v3: u64 = 0;

/** Of the bytes [at, at + length). May read up to 7 bytes past them. */
export function hash(key: usize, at: usize, length: usize): u64 {
  const k0 = load<u64>(key);
  const k1 = load<u64>(key, 8);
  let a = k0 ^ 0x736f6d6570736575;
  let b = k1 ^ 0x646f72616e646f6d;
  let c = k0 ^ 0x6c7967656e657261;
  let d = k1 ^ 0x7465646279746573;
  const tail = at + (length & ~7);
  for (; at < tail; at += 8) {
    const m = load<u64>(at);
    d ^= m;
    for (let round = 0; round < 2; round++) {
      a += b;
      b = rotl<u64>(b, 13) ^ a;
      a = rotl<u64>(a, 32);
      c += d;
      d = rotl<u64>(d, 16) ^ c;
      a += d;
      d = rotl<u64>(d, 21) ^ a;
      c += b;
      b = rotl<u64>(b, 17) ^ c;
      c = rotl<u64>(c, 32);
    }
    a ^= m;
  }
  v0 = a;
  v1 = b;
  v2 = c;
  v3 = d;
  const left = <u64>(length & 7);
  const last = left == 0 ? 0 : load<u64>(tail) & (<u64>-1 >> (64 - (left << 3)));
  return end(last | ((<u64>length) << 56));
}

/** Of the first 24 bytes and the last 24 of more than 48. */
export function hashEnds(key: usize, from: usize, to: usize): u64 {
  const k0 = load<u64>(key);
  const k1 = load<u64>(key, 8);
  v0 = k0 ^ 0x736f6d6570736575;
  v1 = k1 ^ 0x646f72616e646f6d;
  v2 = k0 ^ 0x6c7967656e657261;
  v3 = k1 ^ 0x7465646279746573;
  block(load<u64>(from));
  block(load<u64>(from, 8));
  block(load<u64>(from, 16));
  block(load<u64>(to - 24));
  block(load<u64>(to - 16));
  block(load<u64>(to - 8));
  return end((<u64>48) << 56);
}

function end(last: u64): u64 {
  block(last);
  v2 ^= 0xff;
  rounds();
  rounds();
  return v0 ^ v1 ^ v2 ^ v3;
}

function block(m: u64): void {
  v3 ^= m;
  rounds();
  v0 ^= m;
}

function rounds(): void {
  let a = v0;
  let b = v1;
  let c = v2;
  let d = v3;
  for (let round = 0; round < 2; round++) {
    a += b;
    b = rotl<u64>(b, 13) ^ a;
    a = rotl<u64>(a, 32);
    c += d;
    d = rotl<u64>(d, 16) ^ c;
    a += d;
    d = rotl<u64>(d, 21) ^ a;
    c += b;
    b = rotl<u64>(b, 17) ^ c;
    c = rotl<u64>(c, 32);
  }
  v0 = a;
  v1 = b;
  v2 = c;
  v3 = d;
}
