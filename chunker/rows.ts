import { type CutBuffer, cutBuffer, type RowsPosition } from './cut-buffer.ts';
import { type CutParams, checkCutParams, checkHashedParams, type RowCutParams } from './params.ts';
import { type SipHash, sipHash24 } from './siphash.ts';

/** A row's first and last so many bytes decide about a cut after it. */
const hashedEndBytes = 24;
const newline = 10;
const noBytes = new Uint8Array(0);

/**
 * Cuts a stream of rows, each ended by '\n', into chunks that end at row ends.
 *
 * The definition. A row is the bytes up to and including a '\n', or what is left at the end of the stream. Rows join
 * the current chunk one by one; for a row of r bytes:
 * 1. r > maxBytes: the current chunk, unless empty, ends before the row. The row is cut by itself by findCut with the
 *    data parameters, its end being the end of that input; after it a new chunk begins.
 * 2. The chunk and the row together would exceed maxBytes: the chunk ends before the row, which begins the next one.
 * 3. The row joins. When the chunk now has at least minBytes and h * (averageBytes - minBytes) < 2^32 * r, it ends
 *    after the row: h is the first four bytes, little-endian, of SipHash-2-4 under the rows key of the row's first 24
 *    bytes and its last 24, '\n' included, joined (of the whole row where it has at most 48).
 * The end of the stream ends the last chunk. How the stream was split into buffers makes no difference.
 */
export class RowCutter {
  readonly #rows: RowCutParams;
  readonly #data: CutParams;
  readonly #hash: SipHash;
  readonly #ends = new Uint8Array(2 * hashedEndBytes);
  readonly #newBuffer: (length: number) => CutBuffer;
  /** While there is a stream. One byte longer than what it holds at most: the search for a newline ends at one set at #end. */
  #buffer: CutBuffer | undefined;
  /** The current chunk begins. */
  #start = 0;
  /** The row that is not complete yet begins. */
  #row = 0;
  /** No newline in [#row, #searched). */
  #searched = 0;
  #end = 0;
  /** In a row over the maximum: bytes since #start that findCut has seen; else -1. */
  #large = -1;

  /** With `newBuffer`, which is the tests': on other memory. */
  constructor(rows: RowCutParams, data: CutParams, { newBuffer = cutBuffer } = {}) {
    this.#rows = checkHashedParams(rows);
    this.#data = checkCutParams(data);
    this.#hash = sipHash24(rows.key);
    this.#newBuffer = newBuffer;
  }

  /**
   * Takes bytes, split anywhere, and yields the chunks they complete. Each is valid until the next pull; pull until
   * done, or the rest of the bytes is lost.
   */
  *write(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
    let taken = 0;
    while (taken < bytes.length) {
      const buffer = this.#makeRoom();
      const count = Math.min(bytes.length - taken, buffer.length - 1 - this.#end);
      buffer.set(bytes.subarray(taken, taken + count), this.#end);
      this.#end += count;
      taken += count;
      for (let chunk = this.#next(false); chunk !== undefined; chunk = this.#next(false)) yield chunk;
    }
  }

  /** Yields what is left. The cutter is then empty and may be used for another stream. */
  *finish(): Generator<Uint8Array, void, undefined> {
    for (let chunk = this.#next(true); chunk !== undefined; chunk = this.#next(true)) yield chunk;
    this.#buffer?.release();
    this.#buffer = undefined;
    this.#start = 0;
    this.#row = 0;
    this.#searched = 0;
    this.#end = 0;
  }

  #next(final: boolean): Uint8Array | undefined {
    for (;;) {
      if (this.#large >= 0) return this.#nextOfLargeRow(final);
      const { minBytes, averageBytes, maxBytes } = this.#rows;
      const cut = this.#cutRows();
      if (cut > 0) return this.#take(cut);
      const found = this.#findNewline(this.#searched);
      const isComplete = found < this.#end;
      const rowEnd = isComplete ? found + 1 : found;
      const rowBytes = rowEnd - this.#row;
      if (rowBytes > maxBytes) {
        this.#large = 0;
        if (this.#row > this.#start) return this.#take(this.#row);
        continue;
      }
      if (rowEnd - this.#start > maxBytes) return this.#take(this.#row);
      if (!isComplete) {
        this.#searched = rowEnd;
        if (!final || rowEnd === this.#start) return undefined;
        this.#row = rowEnd;
        return this.#take(rowEnd);
      }
      const row = this.#row;
      this.#row = rowEnd;
      this.#searched = rowEnd;
      if (rowEnd - this.#start < minBytes) continue;
      if (this.#hashRow(row, rowEnd) * (averageBytes - minBytes) < 2 ** 32 * rowBytes)
        return this.#take(rowEnd);
    }
  }

  #nextOfLargeRow(final: boolean): Uint8Array | undefined {
    const found = this.#findNewline(Math.max(this.#searched, this.#start));
    const isComplete = found < this.#end;
    const rowEnd = isComplete ? found + 1 : found;
    const isEnded = isComplete || final;
    this.#searched = found;
    const question = { from: this.#start, to: rowEnd, final: isEnded, seenBytes: this.#large };
    const length = this.#buffer?.findCut(this.#data, question) ?? 0;
    if (length === 0) {
      this.#large = isEnded ? -1 : rowEnd - this.#start;
      return undefined;
    }
    const cut = this.#start + length;
    this.#row = cut;
    this.#large = isEnded && cut === rowEnd ? -1 : 0;
    if (this.#large < 0) this.#searched = cut;
    return this.#take(cut);
  }

  /** Many rows at once, where the buffer can; the loop that asks goes on with the row after them. */
  #cutRows(): number {
    const at: RowsPosition = {
      start: this.#start,
      row: this.#row,
      searched: this.#searched,
      end: this.#end,
    };
    const cut = this.#buffer?.cutRows(this.#rows, at) ?? 0;
    this.#row = at.row;
    this.#searched = at.searched;
    return cut;
  }

  /** Where the first newline at or after a place is, or #end. */
  #findNewline(from: number): number {
    const bytes = this.#bytes;
    if (from >= this.#end) return this.#end;
    bytes[this.#end] = newline;
    return bytes.indexOf(newline, from);
  }

  #hashRow(from: number, to: number): number {
    const bytes = this.#bytes;
    if (to - from <= 2 * hashedEndBytes) return this.#hash(bytes, from, to).low;
    for (let i = 0; i < hashedEndBytes; i++) {
      this.#ends[i] = bytes[from + i]!;
      this.#ends[hashedEndBytes + i] = bytes[to - hashedEndBytes + i]!;
    }
    return this.#hash(this.#ends).low;
  }

  get #bytes(): Uint8Array {
    return this.#buffer?.bytes ?? noBytes;
  }

  #take(cut: number): Uint8Array {
    const chunk = this.#bytes.subarray(this.#start, cut);
    this.#start = cut;
    return chunk;
  }

  /** Moves what is pending to the front, or grows for a row that goes through findCut. */
  #makeRoom(): Uint8Array {
    this.#buffer ??= this.#newBuffer(4 * this.#rows.maxBytes + 1);
    const old = this.#buffer;
    const pending = this.#end - this.#start;
    const capacity = old.bytes.length - 1;
    if (this.#end < capacity && this.#start < capacity / 2) return old.bytes;
    if (pending > capacity / 2) this.#buffer = this.#newBuffer(2 * capacity + 1);
    this.#buffer.bytes.set(old.bytes.subarray(this.#start, this.#end));
    if (this.#buffer !== old) old.release();
    this.#row -= this.#start;
    this.#searched -= this.#start;
    this.#end = pending;
    this.#start = 0;
    return this.#buffer.bytes;
  }
}
