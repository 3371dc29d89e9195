import type { CborValue } from './cbor.ts';
import { storeError } from './errors.ts';

/** Reads one map of a decoded record; what has another type, length or range than asked for is STORE_DAMAGED. */
export interface Fields {
  has(key: number): boolean;
  /** False also for a field that is absent. */
  isNull(key: number): boolean;
  boolean(key: number): boolean;
  /** Of any type; a field that is absent is STORE_DAMAGED. */
  value(key: number): CborValue;
  bytes(key: number, length?: number): Uint8Array;
  text(key: number): string;
  /** A safe integer of at least min (default 0). */
  integer(key: number, min?: number): number;
  /** Wall clock, ms since 1970, up to the year 9999. */
  time(key: number): number;
  list(key: number): readonly CborValue[];
  fields(key: number): Fields;
}

/** The end of the year 9999: a Date ends some time after it, and whoever prints what is none throws. */
const timeMsMax = 253_402_300_799_999;

/** Fields of a map with small integer keys; keys that nobody asks for are ignored, as the format wants it. */
export function fieldsOf(value: CborValue | undefined, what: string): Fields {
  if (!(value instanceof Map)) throw wrong(what, 'not a map');
  const map: ReadonlyMap<number, CborValue> = value;
  const fail = (key: number, state: string): Error => wrong(`${what}, field ${key}`, state);
  return {
    has: key => map.has(key),
    isNull: key => map.get(key) === null,
    boolean(key) {
      const field = map.get(key);
      if (typeof field !== 'boolean') throw fail(key, 'neither true nor false');
      return field;
    },
    value(key) {
      const field = map.get(key);
      if (field === undefined) throw fail(key, 'absent');
      return field;
    },
    bytes(key, length) {
      const field = map.get(key);
      if (!(field instanceof Uint8Array)) throw fail(key, 'not bytes');
      if (length !== undefined && field.length !== length)
        throw fail(key, `${field.length} bytes, need ${length}`);
      return field;
    },
    text(key) {
      const field = map.get(key);
      if (typeof field !== 'string') throw fail(key, 'not text');
      return field;
    },
    integer(key, min = 0) {
      const field = map.get(key);
      if (typeof field !== 'number' || field < min) throw fail(key, `not an integer from ${min}`);
      return field;
    },
    time(key) {
      const field = map.get(key);
      if (typeof field !== 'number' || field < 0 || field > timeMsMax) throw fail(key, 'no time');
      return field;
    },
    list(key) {
      const field = map.get(key);
      if (!Array.isArray(field)) throw fail(key, 'not a list');
      return field;
    },
    fields: key => fieldsOf(map.get(key), `${what}, field ${key}`),
  };
}

function wrong(what: string, state: string): Error {
  return storeError('STORE_DAMAGED', `Cannot read ${what}: ${state}`);
}
