import type { Blake3 } from '../hash.ts';
import { fromHex } from '../ids.ts';

const dayMs = 86_400_000;
/** Every day it is another slice's turn, so that nothing goes unread for longer than so many days. */
const slices = 30;
/** A time past the clock by more is a clock that was wrong, and proves nothing. */
const aheadMsMax = 3_600_000;
export const overdueMs = slices * dayMs;

/** What there is to read again, now or later. */
export interface Turns {
  /** Whether it was never read, or not since its turn came. Null: never. */
  isDue(id: string, readMs: number | null): boolean;
  /** Whether it was not read for 30 days. */
  isOverdue(readMs: number | null): boolean;
}

/** Days are those of UTC; the slice is by a hash of the id, so that a store's packs spread over the month. */
export function turnsAt(nowMs: number, blake3: Blake3): Turns {
  const today = Math.floor(nowMs / dayMs);
  const isUnknown = (readMs: number | null): readMs is null => readMs === null || readMs > nowMs + aheadMsMax;
  return {
    isDue(id, readMs) {
      if (isUnknown(readMs)) return true;
      const slice = Buffer.from(blake3.hash(fromHex(id))).readUInt32LE() % slices;
      const turn = today - ((((today - slice) % slices) + slices) % slices);
      return Math.floor(readMs / dayMs) < turn;
    },
    isOverdue: readMs => isUnknown(readMs) || nowMs - readMs > overdueMs,
  };
}

/** Never read first, then what was read longest ago. */
export function longestAgoFirst<T extends { readonly readMs: number | null }>(items: Iterable<T>): T[] {
  return [...items].sort((a, b) => (a.readMs ?? -1) - (b.readMs ?? -1));
}
