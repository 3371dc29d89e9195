import type { CborValue } from './cbor.ts';
import { cborDepthMax, cborValuesMax, int64Max, major, mapKeyMax, simple } from './cbor-rules.ts';
import { storeError } from './errors.ts';

/**
 * The value of exactly these bytes, if they are what encodeCbor makes of it; anything else is STORE_DAMAGED, and no
 * bytes make it throw anything else. Byte strings are copies. `what` names the bytes in the message.
 */
export function decodeCbor(bytes: Uint8Array, options: { readonly what?: string } = {}): CborValue {
  const reader = new Reader(bytes, options.what ?? 'structured data');
  const value = reader.value(0);
  reader.end();
  return value;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

class Reader {
  readonly #bytes: Uint8Array;
  readonly #buffer: Buffer;
  readonly #view: DataView;
  readonly #what: string;
  #at = 0;
  #values = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength); // a Buffer's slice is no copy
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw this.#damaged('more bytes follow the value');
  }

  value(depth: number): CborValue {
    this.#values += 1;
    if (this.#values > cborValuesMax) throw this.#damaged(`it has more than ${cborValuesMax} values`);
    const first = this.#first();
    const type = first >> 5;
    switch (type) {
      case major.uint:
        return this.#argument(first);
      case major.negative: {
        const argument = this.#argument(first);
        if (typeof argument === 'bigint') return -1n - argument;
        // -2^53 is not a safe integer: the one value that is a number as argument and none as value.
        return argument === Number.MAX_SAFE_INTEGER ? -1n - BigInt(argument) : -1 - argument;
      }
      case major.bytes: {
        const length = this.#length(first, 1);
        this.#at += length;
        return this.#bytes.slice(this.#at - length, this.#at);
      }
      case major.text:
        return this.#text(this.#length(first, 1));
      case major.array:
        return this.#array(this.#length(first, 1), depth);
      case major.map:
        return this.#map(this.#length(first, 2), depth);
      case major.simple:
        if (first === simple.null) return null;
        if (first === simple.true) return true;
        if (first === simple.false) return false;
        throw this.#damaged('it holds a float or a simple value');
      default:
        throw this.#damaged('it holds a tag');
    }
  }

  #first(): number {
    const first = this.#bytes[this.#at];
    if (first === undefined) throw this.#damaged('it is cut short');
    this.#at += 1;
    return first;
  }

  /** The number in an item's head, which must be in its shortest form. */
  #argument(first: number): number | bigint {
    const info = first & 31;
    if (info < 24) return info;
    const size = 1 << (info - 24);
    if (info > 27) throw this.#damaged('it has an indefinite or reserved length');
    if (this.#at + size > this.#bytes.length) throw this.#damaged('it is cut short');
    const place = this.#at;
    this.#at += size;
    if (size === 1) return this.#shortest(this.#bytes[place]!, 24);
    if (size === 2) return this.#shortest(this.#view.getUint16(place), 0x100);
    if (size === 4) return this.#shortest(this.#view.getUint32(place), 0x1_0000);
    const number = this.#shortest(
      this.#view.getUint32(place) * 0x1_0000_0000 + this.#view.getUint32(place + 4),
      0x1_0000_0000,
    );
    if (Number.isSafeInteger(number)) return number;
    const wide = this.#view.getBigUint64(place);
    if (wide > int64Max) throw this.#damaged('it holds an integer of more than 64 bits with sign');
    return wide;
  }

  #shortest(value: number, least: number): number {
    if (value < least) throw this.#damaged('it has a number that is not in its shortest form');
    return value;
  }

  /** A length whose items, of at least so many bytes each, can lie in the bytes that are left. */
  #length(first: number, itemBytes: number): number {
    const length = this.#argument(first);
    if (typeof length === 'bigint' || length * itemBytes > this.#bytes.length - this.#at) {
      throw this.#damaged('it is cut short');
    }
    return length;
  }

  #text(length: number): string {
    const start = this.#at;
    this.#at += length;
    let end = start;
    while (end < this.#at && this.#bytes[end]! < 0x80) end += 1;
    if (end === this.#at) return this.#buffer.toString('latin1', start, end);
    try {
      return utf8.decode(this.#bytes.subarray(start, this.#at));
    } catch (cause) {
      throw this.#damaged('it has text that is no UTF-8', cause);
    }
  }

  #array(length: number, depth: number): CborValue[] {
    this.#checkDepth(depth);
    const items: CborValue[] = [];
    for (let index = 0; index < length; index += 1) items.push(this.value(depth + 1));
    return items;
  }

  #map(length: number, depth: number): Map<number, CborValue> {
    this.#checkDepth(depth);
    const map = new Map<number, CborValue>();
    let last = -1;
    for (let index = 0; index < length; index += 1) {
      const first = this.#first();
      const key = first >> 5 === major.uint ? this.#argument(first) : undefined;
      if (typeof key !== 'number' || key > mapKeyMax) {
        throw this.#damaged('it has a map key that is not a small unsigned integer');
      }
      if (key <= last) throw this.#damaged('it has map keys twice or out of order');
      last = key;
      map.set(key, this.value(depth + 1));
    }
    return map;
  }

  #checkDepth(depth: number): void {
    if (depth >= cborDepthMax) throw this.#damaged(`it is nested deeper than ${cborDepthMax}`);
  }

  #damaged(state: string, cause?: unknown): Error {
    return storeError('STORE_DAMAGED', `Cannot decode ${this.#what} at byte ${this.#at}: ${state}`, {
      cause,
    });
  }
}
