import { storeError } from '../errors.ts';

/** CBOR major types that the store's structures use: no negative numbers, tags, floats or text in them. */
const major = { uint: 0, bytes: 2, array: 4, map: 5 } as const;
type Major = (typeof major)[keyof typeof major];

/** Writes deterministic CBOR (RFC 8949, 4.2.1) into one growing buffer, faster than by way of a tree of values. */
export class CborWriter {
  #buffer = Buffer.allocUnsafe(4096);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  uint(value: number): this {
    return this.#head(major.uint, value);
  }

  bytes(value: Uint8Array): this {
    this.#head(major.bytes, value.length);
    return this.raw(value);
  }

  array(count: number): this {
    return this.#head(major.array, count);
  }

  map(pairs: number): this {
    return this.#head(major.map, pairs);
  }

  /** Bytes that are CBOR already. */
  raw(value: Uint8Array): this {
    this.#room(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** A view of what was written; valid until the next write. */
  view(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  #room(count: number): void {
    if (this.#length + count <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + count));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }

  #head(type: Major, value: number): this {
    if (!Number.isSafeInteger(value) || value < 0)
      throw new RangeError(`Cannot encode number ${value}: not a whole number from 0 to 2^53-1`);
    this.#room(9);
    const buffer = this.#buffer;
    const at = this.#length;
    const top = type << 5;
    if (value < 24) {
      buffer[at] = top | value;
      this.#length += 1;
    } else if (value < 0x100) {
      buffer[at] = top | 24;
      buffer[at + 1] = value;
      this.#length += 2;
    } else if (value < 0x10000) {
      buffer[at] = top | 25;
      buffer.writeUInt16BE(value, at + 1);
      this.#length += 3;
    } else if (value < 0x100000000) {
      buffer[at] = top | 26;
      buffer.writeUInt32BE(value, at + 1);
      this.#length += 5;
    } else {
      buffer[at] = top | 27;
      buffer.writeUInt32BE(Math.floor(value / 0x100000000), at + 1);
      buffer.writeUInt32BE(value % 0x100000000, at + 5);
      this.#length += 9;
    }
    return this;
  }
}

/** Reads what CborWriter writes and nothing else: a longer form than needed, or another type, is STORE_DAMAGED. */
export class CborCursor {
  readonly #bytes: Uint8Array;
  readonly #subject: string;
  #at = 0;

  /** subject names the bytes in messages. */
  constructor(bytes: Uint8Array, subject: string) {
    this.#bytes = bytes;
    this.#subject = subject;
  }

  /** What comes next, without taking it. */
  next(): 'uint' | 'bytes' | 'array' | 'map' {
    const type = (this.#bytes[this.#at] ?? 0xff) >> 5;
    if (type === major.uint) return 'uint';
    if (type === major.bytes) return 'bytes';
    if (type === major.array) return 'array';
    if (type === major.map) return 'map';
    throw this.refuse(`unexpected byte at ${this.#at}`);
  }

  uint(): number {
    return this.#head(major.uint);
  }

  /** A view of the input. */
  bytes(): Uint8Array {
    const length = this.#head(major.bytes);
    if (length > this.#bytes.length - this.#at) throw this.refuse('a byte string runs past the end');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** The number of items; each is at least one byte long, so a count past the end is refused here. */
  array(): number {
    const count = this.#head(major.array);
    if (count > this.#bytes.length - this.#at) throw this.refuse('an array runs past the end');
    return count;
  }

  map(): number {
    return this.#head(major.map);
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw this.refuse('bytes follow its end');
  }

  expect(condition: boolean, state: string): void {
    if (!condition) throw this.refuse(state);
  }

  refuse(state: string): Error {
    return storeError('STORE_DAMAGED', `Cannot decode ${this.#subject}: ${state}`, {
      remedy: 'Run verify to see what is affected.',
    });
  }

  #head(type: Major): number {
    const bytes = this.#bytes;
    const first = bytes[this.#at];
    if (first === undefined) throw this.refuse('it ends too early');
    if (first >> 5 !== type) throw this.refuse(`unexpected type at byte ${this.#at}`);
    const info = first & 31;
    this.#at += 1;
    if (info < 24) return info;
    if (info > 27) throw this.refuse('an indefinite or reserved length');
    const size = 1 << (info - 24);
    if (this.#at + size > bytes.length) throw this.refuse('it ends too early');
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + bytes[this.#at + i]!;
    this.#at += size;
    const shortest = info === 24 ? value >= 24 : value >= 2 ** (size * 4);
    if (!shortest) throw this.refuse('a number is longer than needed');
    if (value > Number.MAX_SAFE_INTEGER) throw this.refuse('a number is too large');
    return value;
  }
}
