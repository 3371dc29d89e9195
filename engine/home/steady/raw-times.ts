/** Times as the kernel and the columns of a table have them, in words of 4 bytes: no bigint is made of any. */

/** What the upper word counts. */
export const half = 2 ** 32;
const billion = 1_000_000_000;

/** A time that others must be older than, so that a later write shows: the upper half has the sign. */
export interface Halves {
  readonly settledHigh: number;
  readonly settledLow: number;
}

/** `settledNs` in two halves: the upper one has the sign. */
export const halvesOf = (settledNs: bigint): Halves => ({
  settledHigh: Number(BigInt.asIntN(32, settledNs >> 32n)),
  settledLow: Number(BigInt.asUintN(32, settledNs)),
});

/** Whether a time of struct statx is the recorded one, without making a bigint of either. */
export function isTime(words: Uint32Array, from: number, recorded: Uint32Array, at: number): boolean {
  const nanoseconds = words[from + 2]!;
  const low = (Math.imul(words[from]!, billion) + nanoseconds) >>> 0;
  if (low !== recorded[2 * at]) return false;
  const seconds = (words[from + 1]! | 0) * half + words[from]!;
  // off by some hundred at most, which rounding to whole halves takes away
  const high = Math.round((seconds * billion + nanoseconds - low) / half);
  return high === (recorded[2 * at + 1]! | 0);
}

/** Whether a recorded time is older. */
export function isBefore(recorded: Uint32Array, at: number, { settledHigh, settledLow }: Halves): boolean {
  const high = recorded[2 * at + 1]! | 0;
  return high < settledHigh || (high === settledHigh && recorded[2 * at]! < settledLow);
}
