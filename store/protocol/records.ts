import type { CborValue } from '../cbor.ts';
import type { Fields } from '../cbor-fields.ts';
import type { ChunkRef } from '../content.ts';
import { storeError } from '../errors.ts';
import { type ChunkId, fromHex, hex, type PackId, type SessionId, type SnapshotId } from '../ids.ts';
import type { RecordFields } from '../record.ts';

/** How one kind of record becomes fields, and fields the record. STORE_DAMAGED when they do not fit. */
export interface RecordCodec<T> {
  encode(record: T): RecordFields;
  decode(fields: Fields, name: string): T;
}

/** `sessions/<id>`: somebody works with the store. */
export interface SessionRecord {
  readonly purpose: 'backup' | 'prune' | 'read';
  readonly host: string;
  readonly startedMs: number;
  /** Snapshots that a reader depends on while it lives. */
  readonly snapshots: readonly SnapshotId[];
}

/** `sessions/<id>.<k>`: the session still lives. A new object each time, since clocks and times decide nothing. */
export interface HeartbeatRecord {
  readonly beat: number;
  readonly snapshots: readonly SnapshotId[];
}

/** `intents/<id>`: what a manifest will depend on, said before it is created. */
export interface IntentRecord {
  readonly host: string;
  readonly roots: readonly ChunkRef[];
}

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

/** `forgotten/<id>`: the manifest of this id is no snapshot any more, for ever. */
export interface ForgottenRecord {
  readonly snapshot: SnapshotId;
  readonly forgottenMs: number;
  readonly reason: string;
}

/** `damage/<id>`: frames of a pack that are known bad; without ordinals the whole pack. */
export interface DamageRecord {
  readonly pack: PackId;
  readonly ordinals: readonly number[] | undefined;
  readonly foundMs: number;
  /** Chunks that have no other copy. */
  readonly lost: readonly ChunkId[];
}

/** `ledger/<id>`: what was checked, and when. */
export interface LedgerRecord {
  readonly act: 'verified' | 'drilled' | 'repaired';
  readonly host: string;
  readonly finishedMs: number;
  readonly isOk: boolean;
  readonly snapshots: readonly SnapshotId[];
  /** Packs of which every byte was read. */
  readonly packs: readonly PackId[];
  /** Whatever else the act has to say; the store does not interpret it. */
  readonly detail: CborValue;
}

/** `holds/<snapshot>.<k>`: the highest k says whether the snapshot is kept from every policy. */
export interface HoldRecord {
  readonly snapshot: SnapshotId;
  readonly version: number;
  readonly isHeld: boolean;
  readonly changedMs: number;
  readonly reason: string;
}

/** `manifests/<id>` of kind aborted: this run can never commit. */
export interface AbortedRecord {
  readonly by: SessionId;
  readonly abortedMs: number;
  /** The generation whose pruner found the intent stale. */
  readonly generation: number;
}

const purposes = ['backup', 'prune', 'read'] as const;
const acts = ['verified', 'drilled', 'repaired'] as const;

export const sessionRecord: RecordCodec<SessionRecord> = {
  encode: record =>
    fieldMap(purposes.indexOf(record.purpose), record.host, record.startedMs, joined(record.snapshots)),
  decode: (fields, name) => ({
    purpose: oneOf(purposes, fields.integer(1), name),
    host: fields.text(2),
    startedMs: fields.integer(3),
    snapshots: ids<SnapshotId>(fields, 4, name),
  }),
};

export const heartbeatRecord: RecordCodec<HeartbeatRecord> = {
  encode: record => fieldMap(record.beat, joined(record.snapshots)),
  decode: (fields, name) => ({ beat: fields.integer(1, 1), snapshots: ids<SnapshotId>(fields, 2, name) }),
};

export const intentRecord: RecordCodec<IntentRecord> = {
  encode: record => fieldMap(record.host, encodeRefs(record.roots)),
  decode: (fields, name) => ({ host: fields.text(1), roots: decodeRefs(fields.list(2), name) }),
};

export const generationRecord: RecordCodec<GenerationRecord> = {
  encode: ({ number, createdMs, dead, rewritten, orphans, indexParts }) =>
    fieldMap(number, createdMs, joined(dead), joined(rewritten), joined(orphans), joined(indexParts)),
  decode: (fields, name) => ({
    number: fields.integer(1, 1),
    createdMs: fields.integer(2),
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

export const forgottenRecord: RecordCodec<ForgottenRecord> = {
  encode: record => fieldMap(fromHex(record.snapshot), record.forgottenMs, record.reason),
  decode: fields => ({
    snapshot: hex(fields.bytes(1, 32)) as SnapshotId,
    forgottenMs: fields.integer(2),
    reason: fields.text(3),
  }),
};

export const damageRecord: RecordCodec<DamageRecord> = {
  encode: record =>
    fieldMap(
      fromHex(record.pack),
      record.ordinals === undefined ? null : [...new Set(record.ordinals)].sort((a, b) => a - b),
      record.foundMs,
      joined(record.lost.map(hex)),
    ),
  decode: (fields, name) => ({
    pack: hex(fields.bytes(1, 32)) as PackId,
    ordinals: fields.isNull(2) ? undefined : ordinals(fields.list(2), name),
    foundMs: fields.integer(3),
    lost: ids(fields, 4, name).map(id => fromHex(id) as ChunkId),
  }),
};

export const ledgerRecord: RecordCodec<LedgerRecord> = {
  encode: record =>
    fieldMap(
      acts.indexOf(record.act),
      record.host,
      record.finishedMs,
      record.isOk,
      joined(record.snapshots),
      joined(record.packs),
      record.detail,
    ),
  decode: (fields, name) => ({
    act: oneOf(acts, fields.integer(1), name),
    host: fields.text(2),
    finishedMs: fields.integer(3),
    isOk: fields.boolean(4),
    snapshots: ids<SnapshotId>(fields, 5, name),
    packs: ids<PackId>(fields, 6, name),
    detail: fields.value(7),
  }),
};

export const holdRecord: RecordCodec<HoldRecord> = {
  encode: record =>
    fieldMap(fromHex(record.snapshot), record.version, record.isHeld, record.changedMs, record.reason),
  decode: fields => ({
    snapshot: hex(fields.bytes(1, 32)) as SnapshotId,
    version: fields.integer(2, 1),
    isHeld: fields.boolean(3),
    changedMs: fields.integer(4),
    reason: fields.text(5),
  }),
};

export const abortedRecord: RecordCodec<AbortedRecord> = {
  encode: record => fieldMap(fromHex(record.by), record.abortedMs, record.generation),
  decode: fields => ({
    by: hex(fields.bytes(1, 32)) as SessionId,
    abortedMs: fields.integer(2),
    generation: fields.integer(3),
  }),
};

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
function fieldMap(...values: CborValue[]): RecordFields {
  return new Map(values.map((value, i) => [i + 1, value]));
}

/** Ids in ascending order, one after the other. */
function joined(names: readonly string[]): Uint8Array {
  return fromHex([...names].sort().join(''));
}

function ids<Id extends string>(fields: Fields, key: number, name: string): Id[] {
  const bytes = fields.bytes(key);
  if (bytes.length % 32 !== 0) throw malformed(name, `field ${key} is no whole number of ids`);
  const list: Id[] = [];
  for (let at = 0; at < bytes.length; at += 32) list.push(hex(bytes.subarray(at, at + 32)) as Id);
  for (let i = 1; i < list.length; i++)
    if (list[i - 1]! >= list[i]!) throw malformed(name, `field ${key} is not in ascending order`);
  return list;
}

function ordinals(values: readonly CborValue[], name: string): number[] {
  let last = -1;
  return values.map(value => {
    if (typeof value !== 'number' || value <= last)
      throw malformed(name, 'its ordinals do not ascend from 0');
    last = value;
    return value;
  });
}

function oneOf<T extends string>(names: readonly T[], position: number, name: string): T {
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
