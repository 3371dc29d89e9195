import { hash, hashEnds } from './siphash';

const newline: u8 = 10;

/** The first newline in [from, to), or `to`. May read up to 15 bytes past it. */
export function findNewline(from: usize, to: usize): usize {
  const wanted = i8x16.splat(newline);
  for (; from < to; from += 16) {
    const bits = i8x16.bitmask(i8x16.eq(v128.load(from), wanted));
    if (bits != 0) return min(from + ctz(bits), to);
  }
  return to;
}

/** Where the first row begins that `cutRows` did not take. */
let rowAfter: usize = 0;

export function nextRow(): usize {
  return rowAfter;
}

/**
 * Takes complete rows into the chunk that begins at `start`, from the one at `row` on, as long as neither is over the
 * maximum. Where the chunk ends after one of them: there; else 0. No newline lies in [row, searched).
 */
export function cutRows(
  key: usize,
  start: usize,
  row: usize,
  searched: usize,
  end: usize,
  minBytes: u32,
  averageBytes: u32,
  maxBytes: u32,
): usize {
  const spare = <u64>(averageBytes - minBytes);
  for (;;) {
    const found = findNewline(searched, end);
    if (found == end) break;
    const next = found + 1;
    if (next - start > <usize>maxBytes) break;
    const bytes = next - row;
    if (next - start >= <usize>minBytes) {
      const h = bytes <= 48 ? hash(key, row, bytes) : hashEnds(key, row, next);
      if ((h & 0xffffffff) * spare < (<u64>bytes) << 32) {
        rowAfter = next;
        return next;
      }
    }
    row = next;
    searched = next;
  }
  rowAfter = row;
  return 0;
}
