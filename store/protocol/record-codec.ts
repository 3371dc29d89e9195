import type { CborValue } from '../cbor.ts';
import type { Fields } from '../cbor-fields.ts';
import type { ChunkRef } from '../content.ts';
import { storeError } from '../errors.ts';
import { type ChunkId, fromHex, hex } from '../ids.ts';
import type { RecordFields } from '../record.ts';

/** How one kind of record becomes fields, and fields the record. STORE_DAMAGED when they do not fit. */
export interface RecordCodec<T> {
  encode(record: T): RecordFields;
  decode(fields: Fields, name: string): T;
}

/** References in their order: [id, 0 for data or 1 for a node]. */
export function encodeRefs(refs: readonly ChunkRef[]): CborValue {
  return refs.map(({ id, kind }) => [id, kind === 'data' ? 0 : 1]);
}

export function decodeRefs(values: readonly CborValue[], name: string): ChunkRef[] {
  return values.map(value => {
    const [id, kind] = Array.isArray(value) && value.length === 2 ? value : [];
    if (!(id instanceof Uint8Array) || id.length !== 32 || (kind !== 0 && kind !== 1))
      throw malformed(name, 'a reference is malformed');
    return { id: id as ChunkId, kind: kind === 0 ? 'data' : 'node' };
  });
}

/** Fields 1, 2, 3 … in order. */
export function fieldMap(...values: CborValue[]): RecordFields {
  return new Map(values.map((value, i) => [i + 1, value]));
}

/** Ids in ascending order, one after the other; what is named twice is there once, or nobody could read it. */
export function joined(names: readonly string[]): Uint8Array {
  return fromHex([...new Set(names)].sort().join(''));
}

/** The inverse of joined; what is named twice counts once. */
export function ids<Id extends string>(fields: Fields, key: number, name: string): Id[] {
  const bytes = fields.bytes(key);
  if (bytes.length % 32 !== 0) throw malformed(name, `field ${key} is no whole number of ids`);
  const list: Id[] = [];
  for (let at = 0; at < bytes.length; at += 32) {
    const id = hex(bytes.subarray(at, at + 32)) as Id;
    const last = list.at(-1);
    // Earlier programs named one twice where several had asked for it.
    if (last === id) continue;
    if (last !== undefined && last > id) throw malformed(name, `field ${key} is not in ascending order`);
    list.push(id);
  }
  return list;
}

/** Numbers of frames, ascending; what is named twice counts once. */
export function ordinals(values: readonly CborValue[], name: string): number[] {
  const list: number[] = [];
  for (const value of values) {
    const last = list.at(-1) ?? 0;
    if (typeof value !== 'number' || value < last) throw malformed(name, 'its ordinals do not ascend from 0');
    if (list.length === 0 || value !== last) list.push(value);
  }
  return list;
}

/** A name by its position in a list that may grow in later versions. */
export function oneOf<T extends string>(names: readonly T[], position: number, name: string): T {
  const found = names[position];
  if (found === undefined)
    throw storeError(
      'STORE_NEWER',
      `Cannot read ${name}: it says ${position} where 0 to ${names.length - 1} are known`,
      {
        remedy: 'Use a newer Stillpoint with this store.',
      },
    );
  return found;
}

function malformed(name: string, state: string): Error {
  return storeError('STORE_DAMAGED', `Cannot read ${name}: ${state}`);
}
