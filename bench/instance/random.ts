/** Numbers that look random and come again for the same seed (mulberry32); for content, never for secrets. */
export interface Dice {
  /** 0 ≤ n < below. */
  below(limit: number): number;
  /** True in this share (0–1) of the calls. */
  chance(share: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** Text of about this many bytes, in lines, as compressible as source code. */
  text(bytes: number): string;
  bytes(count: number): Uint8Array;
}

const words =
  'const return function value count while break import from commit push ref tree blob merge page table index null true'.split(
    ' ',
  );

export function rollDice(seed: number): Dice {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (limit: number): number => next() % limit;
  const dice: Dice = {
    below,
    chance: share => next() < share * 2 ** 32,
    pick: from => {
      const found = from[below(from.length)];
      if (found === undefined) throw new RangeError('Cannot pick: nothing to choose from');
      return found;
    },
    text: bytes => {
      let line = '';
      let all = '';
      while (all.length < bytes) {
        line += `${words[below(words.length)]}${below(8) === 0 ? below(10_000) : ''} `;
        if (line.length < 72) continue;
        all += `${line.trimEnd()}\n`;
        line = '';
      }
      return all;
    },
    bytes: count => {
      const words32 = new Uint32Array(Math.ceil(count / 4));
      for (let at = 0; at < words32.length; at += 1) words32[at] = next();
      return new Uint8Array(words32.buffer, 0, count);
    },
  };
  return dice;
}
