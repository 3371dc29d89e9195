import type { PackId } from '../ids.ts';
import { fieldMap, ids, joined, type RecordCodec } from './record-codec.ts';

/** `gc/<n>`: packs and index parts that may go. */
export interface GenerationRecord {
  readonly number: number;
  readonly createdMs: number;
  readonly dead: readonly PackId[];
  readonly rewritten: readonly PackId[];
  readonly orphans: readonly PackId[];
  readonly indexParts: readonly string[];
}

/** `gc/<n>.sweep`: what of it goes. Final. Empty: a writer's veto. */
export interface SweepRecord {
  readonly number: number;
  readonly packs: readonly PackId[];
  readonly indexParts: readonly string[];
}

/** `gc/<n>.done`: it is gone. Every 32nd lists all packs ever swept. */
export interface DoneRecord {
  readonly number: number;
  readonly allSwept: readonly PackId[] | undefined;
}

export const generationRecord: RecordCodec<GenerationRecord> = {
  encode: ({ number, createdMs, dead, rewritten, orphans, indexParts }) =>
    fieldMap(number, createdMs, joined(dead), joined(rewritten), joined(orphans), joined(indexParts)),
  decode: (fields, name) => ({
    number: fields.integer(1, 1),
    createdMs: fields.time(2),
    dead: ids<PackId>(fields, 3, name),
    rewritten: ids<PackId>(fields, 4, name),
    orphans: ids<PackId>(fields, 5, name),
    indexParts: ids(fields, 6, name),
  }),
};

export const sweepRecord: RecordCodec<SweepRecord> = {
  encode: record => fieldMap(record.number, joined(record.packs), joined(record.indexParts)),
  decode: (fields, name) => ({
    number: fields.integer(1, 1),
    packs: ids<PackId>(fields, 2, name),
    indexParts: ids(fields, 3, name),
  }),
};

export const doneRecord: RecordCodec<DoneRecord> = {
  encode: record =>
    fieldMap(record.number, ...(record.allSwept === undefined ? [] : [joined(record.allSwept)])),
  decode: (fields, name) => ({
    number: fields.integer(1, 1),
    allSwept: fields.has(2) ? ids<PackId>(fields, 2, name) : undefined,
  }),
};
