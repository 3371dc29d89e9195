import { type CborValue, storeError } from '../../store/index.ts';

/** The number of each field, for good: a reader passes over numbers that it does not know. */
export type FieldTable<Name extends string> = Readonly<Record<Name, number>>;

/** A record as a map; null and undefined are left out. */
export function encodeFields<Name extends string>(
  table: FieldTable<Name>,
  values: Readonly<Record<Name, CborValue | undefined>>,
): CborValue {
  const map = new Map<number, CborValue>();
  for (const name of Object.keys(table) as Name[]) {
    const value = values[name];
    if (value !== undefined && value !== null) map.set(table[name], value);
  }
  return map;
}

/** Nothing of PostgreSQL's has a NUL in it. */
export const isText = (value: unknown): value is string => typeof value === 'string' && !value.includes('\0');

/** Reads them back with their types: STORE_DAMAGED where one is missing or of another type. Numbers are from 0. */
export class FieldReader<Name extends string> {
  readonly #table: FieldTable<Name>;
  readonly #map: ReadonlyMap<number, CborValue>;
  readonly #what: string;

  constructor(table: FieldTable<Name>, value: CborValue | undefined, what: string) {
    this.#table = table;
    this.#what = what;
    if (!(value instanceof Map)) throw this.#damaged('record');
    this.#map = value as ReadonlyMap<number, CborValue>;
  }

  raw(name: Name): CborValue | undefined {
    return this.#map.get(this.#table[name]);
  }

  text(name: Name): string {
    const value = this.raw(name);
    if (!isText(value)) throw this.#damaged(name);
    return value;
  }

  textOrNull(name: Name): string | null {
    return this.raw(name) === undefined ? null : this.text(name);
  }

  number(name: Name): number {
    const value = this.raw(name);
    if (typeof value !== 'number' || value < 0) throw this.#damaged(name);
    return value;
  }

  numberOrNull(name: Name): number | null {
    return this.raw(name) === undefined ? null : this.number(name);
  }

  bigint(name: Name): bigint {
    const value = this.raw(name);
    if (typeof value !== 'number' && typeof value !== 'bigint') throw this.#damaged(name);
    return BigInt(value);
  }

  boolean(name: Name): boolean {
    const value = this.raw(name);
    if (typeof value !== 'boolean') throw this.#damaged(name);
    return value;
  }

  bytes(name: Name): Uint8Array {
    const value = this.raw(name);
    if (!(value instanceof Uint8Array)) throw this.#damaged(name);
    return value;
  }

  /** Empty where it is absent. */
  list(name: Name): readonly CborValue[] {
    const value = this.raw(name) ?? [];
    if (!Array.isArray(value)) throw this.#damaged(name);
    return value as readonly CborValue[];
  }

  texts(name: Name): readonly string[] {
    return this.list(name).map(item => {
      if (!isText(item)) throw this.#damaged(name);
      return item;
    });
  }

  #damaged(field: string): Error {
    return storeError('STORE_DAMAGED', `Cannot read ${this.#what}: its ${field} is missing or no such thing`);
  }
}

/** STORE_DAMAGED where it is not UTF-8. */
export function textFrom(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw storeError('STORE_DAMAGED', 'Cannot read an entry of the database: its key is no text', { cause });
  }
}

/** STORE_DAMAGED, as an error: what cannot be read, and what was found in its place. */
export function damaged(what: string, found: string): Error {
  return storeError('STORE_DAMAGED', `Cannot read ${what}: ${found}`);
}
