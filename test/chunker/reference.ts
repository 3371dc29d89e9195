import type { CutParams, NodeCutQuestion, RowCutParams } from '../../chunker/index.ts';

/** The definitions once more, word by word and slow: what the fast code is held against. */

const mask64 = (1n << 64n) - 1n;

function u64(bytes: Uint8Array, at: number): bigint {
  let value = 0n;
  for (let i = 7; i >= 0; i--) value = (value << 8n) | BigInt(bytes[at + i] ?? 0);
  return value;
}

function strong(window: Uint8Array, words: readonly bigint[]): bigint {
  let h = 0n;
  h = ((u64(window, 0) ^ words[0]!) * 0xff51afd7ed558ccdn) & mask64;
  h ^= h >> 29n;
  h = ((h ^ u64(window, 8) ^ words[1]!) * 0xc4ceb9fe1a85ec53n) & mask64;
  h ^= h >> 31n;
  h = ((h ^ u64(window, 16) ^ words[2]!) * 0x9fb21c651e98df25n) & mask64;
  h ^= h >> 28n;
  h = ((h ^ u64(window, 24) ^ words[3]!) * 0xff51afd7ed558ccdn) & mask64;
  return h >> 32n;
}

/** Lengths of all chunks of a whole input. */
export function referenceCuts(bytes: Uint8Array, params: CutParams): number[] {
  const lengths: number[] = [];
  for (let at = 0; at < bytes.length; at += lengths.at(-1)!)
    lengths.push(referenceCut(bytes.subarray(at), params));
  return lengths;
}

function referenceCut(b: Uint8Array, { minBytes, averageBytes, maxBytes, seed }: CutParams): number {
  const small = BigInt(Math.min(1024 * Math.floor(2 ** 32 / averageBytes / 4), 2 ** 32 - 1));
  const large = BigInt(Math.min(1024 * Math.floor((2 ** 32 / averageBytes) * 4), 2 ** 32 - 1));
  for (let c = minBytes; c < maxBytes && c <= b.length; c++) {
    const u16 = (at: number): number => b[at]! + 256 * b[at + 1]!;
    const [A, B, C, D] = seed.prefilter;
    const G = (p: number): number => (u16(p - 2) * A + u16(p - 4) * B) % 65536;
    const F = (p: number): number => (G(p) + G(p - 4) * C) % 65536;
    const mixed = (F(c) + F(c - 8) * D) % 65536;
    const signed = mixed >= 32768 ? mixed - 65536 : mixed;
    if (signed >= -32768 + 64) continue;
    if (strong(b.subarray(c - 32, c), seed.words) < (c < averageBytes ? small : large)) return c;
  }
  return Math.min(b.length, maxBytes);
}

/** SipHash-2-4 as the paper has it. */
export function referenceSipHash(key: Uint8Array, message: Uint8Array): bigint {
  const k0 = u64(key, 0);
  const k1 = u64(key, 8);
  const v: [bigint, bigint, bigint, bigint] = [
    k0 ^ 0x736f6d6570736575n,
    k1 ^ 0x646f72616e646f6dn,
    k0 ^ 0x6c7967656e657261n,
    k1 ^ 0x7465646279746573n,
  ];
  const turn = (x: bigint, by: bigint): bigint => ((x << by) | (x >> (64n - by))) & mask64;
  const rounds = (count: number): void => {
    for (let i = 0; i < count; i++) {
      v[0] = (v[0] + v[1]) & mask64;
      v[1] = turn(v[1], 13n) ^ v[0];
      v[0] = turn(v[0], 32n);
      v[2] = (v[2] + v[3]) & mask64;
      v[3] = turn(v[3], 16n) ^ v[2];
      v[0] = (v[0] + v[3]) & mask64;
      v[3] = turn(v[3], 21n) ^ v[0];
      v[2] = (v[2] + v[1]) & mask64;
      v[1] = turn(v[1], 17n) ^ v[2];
      v[2] = turn(v[2], 32n);
    }
  };
  for (let at = 0; at <= message.length; at += 8) {
    const isLast = at + 8 > message.length;
    const word = u64(message, at) | (isLast ? BigInt(message.length & 0xff) << 56n : 0n);
    v[3] ^= word;
    rounds(2);
    v[0] ^= word;
  }
  v[2] ^= 0xffn;
  rounds(4);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/** Lengths of all chunks of a stream of rows. */
export function referenceRowCuts(bytes: Uint8Array, rows: RowCutParams, data: CutParams): number[] {
  const lengths: number[] = [];
  let size = 0;
  const cut = (): void => {
    if (size > 0) lengths.push(size);
    size = 0;
  };
  for (let at = 0; at < bytes.length; ) {
    const newline = bytes.indexOf(10, at);
    const end = newline < 0 ? bytes.length : newline + 1;
    const row = bytes.subarray(at, end);
    at = end;
    if (size + row.length > rows.maxBytes) cut();
    if (row.length > rows.maxBytes) {
      lengths.push(...referenceCuts(row, data));
      continue;
    }
    size += row.length;
    const message = row.length <= 48 ? row : Buffer.concat([row.subarray(0, 24), row.subarray(-24)]);
    const hash = referenceSipHash(rows.key, message) & 0xffffffffn;
    const chance = hash * BigInt(rows.averageBytes - rows.minBytes);
    if (size >= rows.minBytes && chance < BigInt(row.length) << 32n) cut();
  }
  cut();
  return lengths;
}

export function referenceNodeCut(question: NodeCutQuestion, nodes: RowCutParams): boolean {
  if (question.sizeBytes >= nodes.maxBytes) return true;
  const hash = referenceSipHash(nodes.key, Uint8Array.of(question.level, ...question.key)) & 0xffffffffn;
  const chance = hash * BigInt(nodes.averageBytes - nodes.minBytes);
  return question.sizeBytes >= nodes.minBytes && chance < BigInt(question.entryBytes) << 32n;
}
