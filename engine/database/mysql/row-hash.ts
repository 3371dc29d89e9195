import { createHash, hash } from 'node:crypto';
import type { RowDigest } from '../digest.ts';
import { type Column, type ColumnKind, selected } from './columns.ts';
import { bytesLiteral, quoted } from './sql.ts';

/**
 * The hash of a row, which server and program compute alike: the first 64 bits of SHA-256 over a key and the row's values,
 * joined by commas. NULL is `N`, which no value is: numbers and times are as the server shows them, a short text is its
 * length in bytes, a colon and its bytes, a large one its SHA-256 in hex. Keyed, so that nobody who writes rows can make
 * two of the same hash; an accident has a chance of 2⁻⁶⁴ for each range that changed.
 */
export interface RowHashing {
  /** 16 bytes that go to the server with each question. */
  readonly key: Uint8Array;
}

/** A key for the server, which may write it into its logs: it says nothing about the store's own. */
export function rowHashing(digestKey: Uint8Array): RowHashing {
  const key = createHash('sha256').update('mysql rows\0').update(digestKey).digest();
  return { key: key.subarray(0, 16) };
}

/** One row: two numbers, and their sum in the range of u64. Where a row was too long for the server, `hashed` is less than `n`. */
export function digestSql(
  columns: readonly Column[],
  kinds: readonly ColumnKind[],
  { key }: RowHashing,
): string {
  const parts = columns.map((column, i) => `IFNULL(${partSql(column, kinds[i]!)}, 'N')`);
  const row = `SHA2(CONCAT(${[bytesLiteral(key), parts.length === 0 ? "''" : `CONCAT_WS(',', ${parts.join(', ')})`].join(', ')}), 256)`;
  const half = `CAST(CONV(LEFT(${row}, 16), 16, 10) AS UNSIGNED)`;
  return `COUNT(*), COUNT(${half}), IFNULL(SUM(${half}), 0)`;
}

function partSql(column: Column, kind: ColumnKind): string {
  const name = quoted(column.name);
  switch (kind) {
    case 'text':
      return `CONCAT(LENGTH(${name}), ':', CAST(${name} AS BINARY))`;
    case 'large':
      return `SHA2(${name}, 256)`;
    default:
      return `CONCAT(${selected(column, kind)})`;
  }
}

const mask64 = 2n ** 64n - 1n;

/** What `digestSql` answered; undefined where the server could not hash every row. */
export function digestFrom(row: readonly (Buffer | null)[]): RowDigest | undefined {
  const [rows, hashed, sum] = row.map(cell => cell?.toString('latin1') ?? '');
  if (rows === undefined || rows !== hashed || sum === undefined) return undefined;
  return { rows: Number(rows), sum: BigInt(sum) & mask64 };
}

const comma = 44;
/** Of a SHA-256 in hex. */
const hexBytes = 64;
/** More than the length of any cell with its colon. */
const lengthBytesMax = 12;

/** Adds up the hashes of rows that came from the server. */
export class RowSum {
  readonly #kinds: readonly ColumnKind[];
  readonly #start: number;
  /** The key, then what is hashed of a row: one object for all rows, a third of the time. */
  #bytes = Buffer.allocUnsafe(4096);
  #at: number;
  #rows = 0;
  #sum = 0n;
  #high = 0;
  #low = 0;

  constructor(kinds: readonly ColumnKind[], { key }: RowHashing) {
    this.#kinds = kinds;
    this.#bytes.set(key);
    this.#start = key.length;
    this.#at = key.length;
  }

  add(row: readonly (Buffer | null)[]): void {
    this.#at = this.#start;
    for (const [i, kind] of this.#kinds.entries()) {
      const cell = row[i] ?? null;
      this.#reserve((kind === 'large' || cell === null ? hexBytes : cell.length) + lengthBytesMax);
      if (i > 0) this.#bytes[this.#at++] = comma;
      if (cell === null) this.#put('N');
      else if (kind === 'large') this.#put(hash('sha256', cell, 'hex'));
      else {
        if (kind === 'text') this.#put(`${cell.length}:`);
        this.#at += cell.copy(this.#bytes, this.#at);
      }
    }
    const digest = hash('sha256', this.#bytes.subarray(0, this.#at), 'buffer');
    this.#rows += 1;
    this.#high += digest.readUInt32BE(0);
    this.#low += digest.readUInt32BE(4);
    if (this.#rows % 2 ** 20 === 0) this.#fold(); // sums of halves stay exact so far
  }

  result(): RowDigest {
    this.#fold();
    return { rows: this.#rows, sum: this.#sum };
  }

  #put(text: string): void {
    this.#at += this.#bytes.write(text, this.#at, 'latin1');
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#at + length));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }

  #fold(): void {
    this.#sum = (this.#sum + (BigInt(this.#high) << 32n) + BigInt(this.#low)) & mask64;
    this.#high = 0;
    this.#low = 0;
  }
}
