/** Numbers from a seed: what is found can be made again. */
export interface Random {
  /** From 0 to below `end`. */
  below(end: number): number;
  chance(part: number): boolean;
  pick<T>(from: readonly T[]): T;
  bytes(length: number): Buffer;
}

/** mulberry32 over a hash of seed and case. */
export function randomFrom(seed: number, caseNumber: number): Random {
  let state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(caseNumber + 1, 0xc2b2ae35)) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (end: number): number => Math.floor(next() * end);
  return {
    below,
    chance: part => next() < part,
    pick: from => from[below(from.length)]!,
    bytes: length => Buffer.from(Array.from({ length }, () => below(256))),
  };
}
