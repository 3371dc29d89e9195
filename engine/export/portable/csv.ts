import { storeError } from '../../../store/index.ts';
import type { WriteValue } from './values.ts';

/** How the values of a column are written: as they are, as hexadecimal digits alone, or by a function. */
export type ColumnWriter = 'text' | 'binary' | WriteValue;

export interface CsvCounts {
  readonly rows: number;
  /** Of each column: how many values are NULL. */
  readonly nulls: readonly number[];
}

export interface CsvOptions {
  readonly columns: readonly { readonly name: string; readonly write: ColumnWriter }[];
  /** For messages. */
  readonly table: string;
}

const tab = 9;
const newline = 10;
const quote = 34;
const comma = 44;
const backslash = 92;
const outputBytes = 64 * 1024;
/** What a function is given is shorter: a time, a boolean. */
const wholeBytesMax = 256;
const nullText = Buffer.from('NULL');
const lineEnd = Buffer.from('\r\n');

/**
 * COPY text as CSV by RFC 4180, with a first line of names. NULL is that word without quotes; everything else is in
 * quotes, so that an empty text and the text NULL are what they are. Values of any length pass through in pieces. Gives the
 * counts at the end. STORE_DAMAGED where the rows are none of these columns.
 */
export async function* csvOf(
  rows: AsyncIterable<Uint8Array>,
  options: CsvOptions,
): AsyncGenerator<Uint8Array, CsvCounts> {
  const writer = new CsvWriter(options);
  for await (const bytes of rows) {
    writer.take(bytes);
    yield* writer.full();
  }
  writer.end();
  yield* writer.rest();
  return writer.counts;
}

class CsvWriter {
  readonly #columns: CsvOptions['columns'];
  readonly #table: string;
  readonly #nulls: number[];
  #rows = 0;
  #column = 0;
  /** Bytes of the field so far, as COPY has them: the first two tell NULL and a binary value. */
  #seen = 0;
  #isNull = false;
  #isEscaped = false;
  /** A value that a function wants whole. */
  #whole: number[] = [];
  #out = Buffer.allocUnsafe(outputBytes);
  #at = 0;
  #full: Buffer[] = [];

  constructor({ columns, table }: CsvOptions) {
    this.#columns = columns;
    this.#table = table;
    this.#nulls = columns.map(() => 0);
    for (const [i, { name }] of columns.entries()) {
      if (i > 0) this.#byte(comma);
      this.#bytes(Buffer.from(`"${name.replaceAll('"', '""')}"`));
    }
    this.#bytes(lineEnd);
  }

  get counts(): CsvCounts {
    return { rows: this.#rows, nulls: this.#nulls };
  }

  take(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += 1) {
      const byte = bytes[at]!;
      if (this.#isEscaped) this.#escaped(byte);
      else if (byte === newline) this.#endRow();
      else if (byte === tab) this.#endField();
      else if (byte === backslash) this.#isEscaped = true;
      else this.#value(byte);
    }
  }

  full(): readonly Uint8Array[] {
    const full = this.#full;
    if (full.length > 0) this.#full = [];
    return full;
  }

  end(): void {
    if (this.#column > 0 || this.#seen > 0 || this.#isNull || this.#isEscaped) throw this.#damaged();
  }

  rest(): readonly Uint8Array[] {
    return [...this.full(), this.#out.subarray(0, this.#at)];
  }

  #escaped(byte: number): void {
    this.#isEscaped = false;
    if (byte === 0x4e && this.#seen === 0) {
      this.#isNull = true; // \N
      return;
    }
    const value = byte === backslash ? backslash : controls.get(byte);
    if (value === undefined) throw this.#damaged();
    this.#value(value);
  }

  #value(byte: number): void {
    if (this.#isNull) throw this.#damaged();
    const write = this.#columns[this.#column]?.write;
    if (write === undefined) throw this.#damaged();
    if (this.#seen === 0 && typeof write === 'string') this.#begin();
    this.#seen += 1;
    if (typeof write === 'function') {
      if (this.#whole.push(byte) > wholeBytesMax) throw this.#damaged();
    } else if (write === 'binary') {
      // `\x` comes before the digits.
      if (this.#seen > 2) this.#byte(byte);
      else if (byte !== (this.#seen === 1 ? backslash : 0x78)) throw this.#damaged();
    } else {
      if (byte === quote) this.#byte(quote);
      this.#byte(byte);
    }
  }

  #begin(): void {
    if (this.#column > 0) this.#byte(comma);
    this.#byte(quote);
  }

  #endField(): void {
    const column = this.#columns[this.#column];
    if (!column) throw this.#damaged();
    if (this.#isNull) {
      if (this.#column > 0) this.#byte(comma);
      this.#bytes(nullText);
      this.#nulls[this.#column]! += 1;
    } else {
      if (this.#seen === 0 || typeof column.write === 'function') this.#begin();
      if (typeof column.write === 'function') {
        this.#bytes(Buffer.from(column.write(Buffer.from(this.#whole).toString('utf8'))));
        this.#whole = [];
      }
      this.#byte(quote);
    }
    this.#column += 1;
    this.#seen = 0;
    this.#isNull = false;
  }

  #endRow(): void {
    // A table without columns has empty lines.
    if (this.#columns.length > 0) this.#endField();
    else if (this.#seen > 0 || this.#isNull) throw this.#damaged();
    if (this.#column !== this.#columns.length) throw this.#damaged();
    this.#bytes(lineEnd);
    this.#column = 0;
    this.#rows += 1;
  }

  #byte(byte: number): void {
    if (this.#at === outputBytes) this.#next();
    this.#out[this.#at] = byte;
    this.#at += 1;
  }

  #bytes(bytes: Uint8Array): void {
    for (const byte of bytes) this.#byte(byte);
  }

  #next(): void {
    this.#full.push(this.#out.subarray(0, this.#at));
    this.#out = Buffer.allocUnsafe(outputBytes);
    this.#at = 0;
  }

  #damaged(): Error {
    return storeError('STORE_DAMAGED', `Cannot export ${this.#table}: its rows do not fit its columns`);
  }
}

const controls = new Map(
  [...'bfnrtv'].map((letter, i) => [letter.charCodeAt(0), [8, 12, 10, 13, 9, 11][i]!]),
);
