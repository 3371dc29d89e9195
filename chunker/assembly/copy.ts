import { findNewline } from './rows';
import { hash } from './siphash';

const copyData: u8 = 0x64;
const headBytes: usize = 5;

/** What the last call left, for whoever called: where it stopped in what it read, and in what it wrote. */
let readTo: usize = 0;
let wroteTo: usize = 0;
let unread: usize = 0;
let sum: u64 = 0;
let rows: u32 = 0;

export function stoppedAt(): usize {
  return readTo;
}

export function outputEnd(): usize {
  return wroteTo;
}

export function unreadBytes(): usize {
  return unread;
}

export function rowCount(): u32 {
  return rows;
}

/** Of the rows that the last call took, mod 2^64. */
export function rowSum(): u64 {
  return sum;
}

/** Copies in steps of 16 bytes, forwards: up to 15 bytes past the target's end are overwritten. */
function copyForwards(to: usize, from: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += 16) v128.store(to + at, v128.load(from + at));
}

/**
 * Joins what CopyData messages carry. `left` bytes of the one under way are still to come. Stops at another message,
 * and at a head that is not complete.
 */
export function joinMessages(from: usize, to: usize, target: usize, left: usize): void {
  while (from < to) {
    if (left == 0) {
      if (to - from < headBytes || load<u8>(from) != copyData) break;
      const bytes = bswap<u32>(load<u32>(from, 1));
      if (bytes < 4) break;
      left = <usize>bytes - 4;
      from += headBytes;
      continue;
    }
    const bytes = min(left, to - from);
    copyForwards(target, from, bytes);
    target += bytes;
    from += bytes;
    left -= bytes;
  }
  readTo = from;
  wroteTo = target;
  unread = left;
}

let blockRead: u32 = 0;
let offsetRead: u32 = 0;

/** Reads "(block,offset)" and the tab after it, where there are columns. Where the row's bytes begin; 0: no place. */
function readPlace(at: usize, end: usize): usize {
  if (load<u8>(at++) != 0x28) return 0;
  let value: u32 = 0;
  let digit: u32 = 0;
  for (; at < end && (digit = <u32>load<u8>(at) - 0x30) <= 9; at++) value = value * 10 + digit;
  blockRead = value;
  if (at >= end || load<u8>(at++) != 0x2c) return 0;
  value = 0;
  for (; at < end && (digit = <u32>load<u8>(at) - 0x30) <= 9; at++) value = value * 10 + digit;
  offsetRead = value;
  if (at >= end || load<u8>(at++) != 0x29) return 0;
  if (at == end) return at;
  return load<u8>(at) == 0x09 ? at + 1 : 0;
}

/** Reads the place of one row and keeps it at `target`. Where the row's bytes begin; 0: no place. */
export function placeAt(target: usize, at: usize, end: usize): usize {
  const from = readPlace(at, end);
  store<u32>(target, blockRead);
  store<u32>(target, offsetRead, 4);
  return from;
}

/** How `takeRows` ended. */
const wantsMore: u32 = 0;
const isFull: u32 = 1;
const isLong: u32 = 2;
const isMisplaced: u32 = 3;

/**
 * Takes complete rows of at most `longest` bytes: their hashes, their places where they have them, and their bytes
 * without places, newlines included. `hashes` has 8 bytes a row, `places` twice four.
 */
export function takeRows(
  key: usize,
  row: usize,
  searched: usize,
  end: usize,
  target: usize,
  hashes: usize,
  places: usize,
  rowsMax: u32,
  longest: usize,
): u32 {
  let taken: u32 = 0;
  let added: u64 = 0;
  let outcome = isFull;
  while (taken < rowsMax) {
    const found = findNewline(searched, end);
    if (found == end) {
      outcome = wantsMore;
      break;
    }
    let from = row;
    if (places != 0) {
      from = readPlace(row, found);
      if (from == 0) {
        outcome = isMisplaced;
        break;
      }
      store<u32>(places + ((<usize>taken) << 3), blockRead);
      store<u32>(places + ((<usize>taken) << 3), offsetRead, 4);
    }
    if (found - from > longest) {
      outcome = isLong;
      break;
    }
    const h = hash(key, from, found - from);
    store<u64>(hashes + ((<usize>taken) << 3), h);
    added += h;
    copyForwards(target, from, found + 1 - from);
    target += found + 1 - from;
    taken++;
    row = found + 1;
    searched = row;
  }
  readTo = row;
  wroteTo = target;
  rows = taken;
  sum = added;
  return outcome;
}
