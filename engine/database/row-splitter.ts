import { hashedPieceBytes } from '../../chunker/index.ts';
import type { DigestSum } from './digest.ts';

const newline = 10;
const tab = 9;
const comma = 44;
const digit0 = 48;
const openParenthesis = 40;
const closeParenthesis = 41;

/** What takes the rows. */
export type RowSink = Pick<DigestSum, 'addRow' | 'addPiece' | 'endPieces'>;

export interface RowSplitterOptions {
  readonly digest: RowSink;
  /** Told each row's place, in order; absent: the rows carry none. */
  readonly onPlace?: ((block: number, offset: number) => void) | undefined;
}

/** What of "(block,offset)" comes next. */
const expect = { open: 0, block: 1, offset: 2, end: 3 } as const;

/**
 * Splits what COPY sends, which is not aligned to rows, takes the leading ctid off each row, and adds the row to the
 * digest. In COPY text a newline only ever ends a row. Rows of any length pass through in pieces.
 */
export class RowSplitter {
  readonly #digest: RowSink;
  readonly #onPlace: ((block: number, offset: number) => void) | undefined;
  #inPlace: boolean;
  #expected: number = expect.open;
  #block = 0;
  #offset = 0;
  /** Some bytes of the row under way came in an earlier buffer and are held. */
  #isStarted = false;
  #held = new Uint8Array(0);
  #heldBytes = 0;
  #isLong = false;

  constructor(options: RowSplitterOptions) {
    this.#digest = options.digest;
    this.#onPlace = options.onPlace;
    this.#inPlace = options.onPlace !== undefined;
  }

  /** True when the last byte given ended a row. */
  get isBetweenRows(): boolean {
    return this.#onPlace ? this.#inPlace && this.#expected === expect.open : !this.#isStarted;
  }

  /** Row bytes, newlines included, without ctids, written to the front of `target` (as large as `bytes`): how many. */
  split(bytes: Uint8Array, target: Uint8Array): number {
    let at = 0;
    let written = 0;
    while (at < bytes.length) {
      if (this.#inPlace) {
        at = this.#readPlace(bytes, at);
        continue;
      }
      const found = bytes.indexOf(newline, at);
      const end = found < 0 ? bytes.length : found;
      if (found >= 0 && !this.#isStarted && end - at <= hashedPieceBytes) {
        this.#digest.addRow(bytes, at, end);
      } else {
        this.#hold(bytes, at, end);
        if (found >= 0) this.#endHeld();
      }
      const to = found < 0 ? end : end + 1;
      target.set(bytes.subarray(at, to), written);
      written += to - at;
      at = to;
      this.#isStarted = found < 0;
      this.#inPlace = found >= 0 && this.#onPlace !== undefined;
    }
    return written;
  }

  /** Reads "(block,offset)" and the tab after it; a table without columns has the row's newline there. */
  #readPlace(bytes: Uint8Array, from: number): number {
    for (let at = from; at < bytes.length; at += 1) {
      const byte = bytes[at]!;
      switch (this.#expected) {
        case expect.block:
          if (byte === comma) this.#expected = expect.offset;
          else this.#block = withDigit(this.#block, byte);
          break;
        case expect.offset:
          if (byte === closeParenthesis) this.#expected = expect.end;
          else this.#offset = withDigit(this.#offset, byte);
          break;
        case expect.open:
          if (byte !== openParenthesis) throw noPlace();
          this.#expected = expect.block;
          break;
        default:
          if (byte !== tab && byte !== newline) throw noPlace();
          this.#onPlace?.(this.#block, this.#offset);
          this.#block = 0;
          this.#offset = 0;
          this.#expected = expect.open;
          this.#inPlace = false;
          return byte === tab ? at + 1 : at;
      }
    }
    return bytes.length;
  }

  #hold(bytes: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to; ) {
      if (this.#heldBytes === hashedPieceBytes) {
        this.#digest.addPiece(this.#held, 0, hashedPieceBytes);
        this.#heldBytes = 0;
        this.#isLong = true;
      }
      const count = Math.min(to - at, hashedPieceBytes - this.#heldBytes);
      this.#makeRoom(count);
      this.#held.set(bytes.subarray(at, at + count), this.#heldBytes);
      this.#heldBytes += count;
      at += count;
    }
  }

  #makeRoom(count: number): void {
    const needed = this.#heldBytes + count;
    if (needed <= this.#held.length) return;
    const larger = new Uint8Array(Math.min(hashedPieceBytes, Math.max(needed, 2 * this.#held.length)));
    larger.set(this.#held.subarray(0, this.#heldBytes));
    this.#held = larger;
  }

  #endHeld(): void {
    if (this.#isLong) {
      this.#digest.addPiece(this.#held, 0, this.#heldBytes);
      this.#digest.endPieces();
    } else {
      this.#digest.addRow(this.#held, 0, this.#heldBytes);
    }
    this.#heldBytes = 0;
    this.#isLong = false;
  }
}

function withDigit(value: number, byte: number): number {
  const digit = byte - digit0;
  if (digit < 0 || digit > 9) throw noPlace();
  return value * 10 + digit;
}

function noPlace(): RangeError {
  return new RangeError('Cannot split rows: one does not begin with its place');
}
