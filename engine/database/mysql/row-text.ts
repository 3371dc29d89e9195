import type { ColumnKind } from './columns.ts';

const newline = 10;
const comma = 44;
const quote = 39;
const backslash = 92;

/**
 * Writes rows as the tuples of an INSERT, one a line: `(1,'it\'s',NULL)`. Digits stay as they are; everything else is the
 * stored bytes in quotes, in which `\\`, `\'`, `\0` and `\n` stand for a backslash, a quote, NUL and a newline. So a
 * newline ends a row and nothing else.
 */
export class RowText {
  readonly #kinds: readonly ColumnKind[];
  #bytes = Buffer.allocUnsafe(64 * 1024);
  #at = 0;

  constructor(kinds: readonly ColumnKind[]) {
    this.#kinds = kinds;
  }

  /** How many bytes wait to be taken. */
  get length(): number {
    return this.#at;
  }

  add(row: readonly (Buffer | null)[]): void {
    this.#put('(');
    for (const [i, kind] of this.#kinds.entries()) {
      if (i > 0) this.#put(',');
      const cell = row[i];
      if (cell === null || cell === undefined) this.#put('NULL');
      else if (kind === 'plain' || kind === 'ordinal') this.#bare(cell);
      else {
        if (kind === 'address') this.#put('_latin1');
        this.#quoted(cell);
      }
    }
    this.#put(')\n');
  }

  /** What was written since; valid until the next `add`. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#at);
    this.#at = 0;
    return taken;
  }

  #put(text: string): void {
    this.#reserve(text.length);
    this.#at += this.#bytes.write(text, this.#at, 'latin1');
  }

  #bare(cell: Buffer): void {
    this.#reserve(cell.length);
    this.#at += cell.copy(this.#bytes, this.#at);
  }

  #quoted(cell: Buffer): void {
    this.#reserve(2 * cell.length + 2);
    const bytes = this.#bytes;
    let at = this.#at;
    bytes[at++] = quote;
    for (let i = 0; i < cell.length; i += 1) {
      const byte = cell[i]!;
      const escaped = escapes[byte]!;
      if (escaped !== 0) bytes[at++] = backslash;
      bytes[at++] = escaped === 0 ? byte : escaped;
    }
    bytes[at++] = quote;
    this.#at = at;
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#at + length));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}

/** By byte: what comes after the backslash; 0 = it stands for itself. */
const escapes = new Uint8Array(256);
escapes[0] = 48;
escapes[newline] = 110;
escapes[quote] = quote;
escapes[backslash] = backslash;

/** Rows as stored, joined by commas: what follows VALUES. Changes the bytes, which hold whole rows. */
export function asTuples(rows: Buffer): Buffer {
  for (let at = rows.indexOf(newline); at >= 0; at = rows.indexOf(newline, at + 1)) rows[at] = comma;
  return rows.subarray(0, -1);
}
