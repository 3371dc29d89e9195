import type { CborValue } from './cbor.ts';
import { cborDepthMax, int64Max, int64Min, major, mapKeyMax, simple } from './cbor-rules.ts';

/** RFC 8949, 4.2.1 (deterministic). A value that the format has no place for is a TypeError: a mistake of the caller. */
export function encodeCbor(value: CborValue): Uint8Array {
  at = 0;
  writeValue(value, 0);
  return scratch.slice(0, at);
}

// One buffer for all calls of a thread: encoding does not wait, and results are copies. It stays as large as the largest
// value was, which is a node or an index part.
let scratch = new Uint8Array(64 * 1024);
let buffer = Buffer.from(scratch.buffer);
let view = new DataView(scratch.buffer);
let at = 0;

/** Makes room for so many bytes more. */
function reserve(count: number): void {
  if (at + count <= scratch.length) return;
  const larger = new Uint8Array(Math.max(scratch.length * 2, at + count));
  larger.set(scratch.subarray(0, at));
  scratch = larger;
  buffer = Buffer.from(scratch.buffer);
  view = new DataView(scratch.buffer);
}

function writeValue(value: CborValue, depth: number): void {
  if (typeof value === 'number') writeInteger(value);
  else if (typeof value === 'string') writeText(value);
  else if (value instanceof Uint8Array) writeBytes(value);
  else if (typeof value === 'bigint') writeBigInteger(value);
  else if (value === null) writeByte(simple.null);
  else if (typeof value === 'boolean') writeByte(value ? simple.true : simple.false);
  else if (depth >= cborDepthMax)
    throw new TypeError(`Cannot encode a value: nested deeper than ${cborDepthMax}`);
  else if (Array.isArray(value)) writeArray(value, depth);
  else if (value instanceof Map) writeMap(value, depth);
  else throw new TypeError('Cannot encode a value: it is none of the types of structured data');
}

function writeByte(byte: number): void {
  reserve(1);
  scratch[at] = byte;
  at += 1;
}

/** The first bytes of an item: its type and an unsigned number, as short as can be. */
function writeHead(type: number, count: number): void {
  reserve(9);
  const first = type << 5;
  if (count < 24) {
    scratch[at] = first | count;
    at += 1;
  } else if (count < 0x100) {
    scratch[at] = first | 24;
    scratch[at + 1] = count;
    at += 2;
  } else if (count < 0x1_0000) {
    scratch[at] = first | 25;
    view.setUint16(at + 1, count);
    at += 3;
  } else if (count < 0x1_0000_0000) {
    scratch[at] = first | 26;
    view.setUint32(at + 1, count);
    at += 5;
  } else {
    scratch[at] = first | 27;
    view.setUint32(at + 1, Math.floor(count / 0x1_0000_0000));
    view.setUint32(at + 5, count % 0x1_0000_0000);
    at += 9;
  }
}

function writeInteger(value: number): void {
  if (!Number.isSafeInteger(value)) throw new TypeError(`Cannot encode ${value}: not a safe integer`);
  if (value >= 0) writeHead(major.uint, value);
  else writeHead(major.negative, -1 - value);
}

function writeBigInteger(value: bigint): void {
  const asNumber = Number(value);
  if (Number.isSafeInteger(asNumber)) {
    writeInteger(asNumber);
    return;
  }
  if (value > int64Max || value < int64Min)
    throw new TypeError(`Cannot encode ${value}: it does not fit 64 bits`);
  reserve(9);
  scratch[at] = ((value >= 0n ? major.uint : major.negative) << 5) | 27;
  view.setBigUint64(at + 1, value >= 0n ? value : -1n - value);
  at += 9;
}

function writeBytes(bytes: Uint8Array): void {
  writeHead(major.bytes, bytes.length);
  reserve(bytes.length);
  scratch.set(bytes, at);
  at += bytes.length;
}

function writeText(text: string): void {
  if (/\p{Surrogate}/u.test(text)) throw new TypeError('Cannot encode a string: it has a lone surrogate');
  const length = Buffer.byteLength(text, 'utf8');
  writeHead(major.text, length);
  reserve(length);
  buffer.write(text, at, 'utf8');
  at += length;
}

function writeArray(items: readonly CborValue[], depth: number): void {
  writeHead(major.array, items.length);
  for (const item of items) writeValue(item, depth + 1);
}

function writeMap(map: ReadonlyMap<number, CborValue>, depth: number): void {
  writeHead(major.map, map.size);
  const keys = [...map.keys()];
  let last = -1;
  let ascending = true;
  for (const key of keys) {
    if (!Number.isInteger(key) || key < 0 || key > mapKeyMax) {
      throw new TypeError(`Cannot encode a map: key ${String(key)} is not a small unsigned integer`);
    }
    if (key < last) ascending = false;
    last = key;
  }
  // The encoding of a larger integer is longer, or equally long and larger: by bytes the order is that of the numbers.
  if (!ascending) keys.sort((a, b) => a - b);
  for (const key of keys) {
    writeHead(major.uint, key);
    writeValue(map.get(key)!, depth + 1);
  }
}
