import { decode, encode, rfc8949EncodeOptions, type Token, Tokenizer } from 'cborg';
import { storeError } from './errors.ts';

/**
 * What structured data is made of. Maps have small unsigned integer keys. An integer comes back as a number where a
 * number holds it exactly, else as a bigint; both are encoded alike.
 */
export type CborValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly CborValue[]
  | ReadonlyMap<number, CborValue>;

/** Arrays and maps inside each other, at most; hostile bytes must not reach the end of the stack. */
export const cborDepthMax = 32;

const int64Max = 2n ** 63n - 1n;
const int64Min = -(2n ** 63n);
const mapKeyMax = 0xffff_ffff;

/** RFC 8949, 4.2.1 (deterministic). A value that the format has no place for is a TypeError: a mistake of the caller. */
export function encodeCbor(value: CborValue): Uint8Array {
  checkValue(value, 0);
  const bytes = encode(value, rfc8949EncodeOptions);
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * The value of exactly these bytes, if they are what encodeCbor makes of it; anything else is STORE_DAMAGED.
 * Byte strings are copies. `what` names the bytes in the message.
 */
export function decodeCbor(bytes: Uint8Array, options: { readonly what?: string } = {}): CborValue {
  const what = options.what ?? 'structured data';
  let value: CborValue;
  try {
    value = decode(bytes, { ...decodeOptions, tokenizer: new StrictTokenizer(bytes) });
  } catch (cause) {
    throw storeError('STORE_DAMAGED', `Cannot decode ${what}: ${reasonOf(cause)}`, { cause });
  }
  // Length forms and broken UTF-8 that the decoder lets pass, and the order of keys, show up here.
  if (!equalBytes(encode(value, rfc8949EncodeOptions), bytes)) {
    throw storeError('STORE_DAMAGED', `Cannot decode ${what}: it is not in the deterministic encoding`);
  }
  return value;
}

const decodeOptions = {
  strict: true,
  allowBigInt: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  useMaps: true,
  rejectDuplicateMapKeys: true,
} as const;

/** Refuses what v1 has no place for while the tokens pass: floats, tags, wide integers, keys of other types, depth. */
class StrictTokenizer {
  readonly #inner: Tokenizer;
  /** One open array or map each; `remaining` counts items still to come, keys and values alike. */
  readonly #open: { remaining: number; readonly isMap: boolean }[] = [];

  constructor(bytes: Uint8Array) {
    this.#inner = new Tokenizer(bytes, decodeOptions);
  }

  done(): boolean {
    return this.#inner.done();
  }

  pos(): number {
    return this.#inner.pos();
  }

  next(): Token {
    const token = this.#inner.next();
    const name = token.type.name;
    const parent = this.#open.at(-1);
    if (parent !== undefined) {
      if (parent.isMap && parent.remaining % 2 === 0) checkKey(name, token.value);
      parent.remaining -= 1;
    }
    if (name === 'array' || name === 'map') {
      this.#open.push({ remaining: token.value * (name === 'map' ? 2 : 1), isMap: name === 'map' });
      if (this.#open.length > cborDepthMax) throw new RangeError(`it is nested deeper than ${cborDepthMax}`);
    } else if (name === 'uint' || name === 'negint') {
      checkInteger(token.value);
    } else if (!plainTypes.has(name)) {
      throw new RangeError(`it holds a ${name}`);
    }
    while (this.#open.at(-1)?.remaining === 0) this.#open.pop();
    return token;
  }
}

const plainTypes = new Set(['bytes', 'string', 'true', 'false', 'null']);

function checkKey(typeName: string, value: unknown): void {
  if (typeName !== 'uint' || typeof value !== 'number' || value > mapKeyMax) {
    throw new RangeError('it has a map key that is not a small unsigned integer');
  }
}

function checkInteger(value: number | bigint): void {
  if (typeof value === 'bigint' && (value > int64Max || value < int64Min)) {
    throw new RangeError('it holds an integer of more than 64 bits with sign');
  }
}

function checkValue(value: CborValue, depth: number): void {
  if (value === null || typeof value === 'boolean' || value instanceof Uint8Array) return;
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new TypeError(`Cannot encode ${value}: not a safe integer`);
    return;
  }
  if (typeof value === 'bigint') {
    checkInteger(value);
    return;
  }
  if (typeof value === 'string') {
    if (/\p{Surrogate}/u.test(value)) throw new TypeError('Cannot encode a string: it has a lone surrogate');
    return;
  }
  if (depth >= cborDepthMax) throw new TypeError(`Cannot encode a value: nested deeper than ${cborDepthMax}`);
  if (Array.isArray(value)) {
    for (const item of value) checkValue(item, depth + 1);
    return;
  }
  if (value instanceof Map) {
    for (const [key, item] of value) {
      if (!Number.isInteger(key) || key < 0 || key > mapKeyMax) {
        throw new TypeError(`Cannot encode a map: key ${String(key)} is not a small unsigned integer`);
      }
      checkValue(item, depth + 1);
    }
    return;
  }
  throw new TypeError('Cannot encode a value: it is none of the types of structured data');
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message.replace(/^CBOR decode error: /, '') : String(cause);
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
