import type { CborValue } from '../cbor.ts';
import { type Fields, fieldsOf } from '../cbor-fields.ts';
import { type ChunkId, fromHex, hex, type PackId, type SnapshotId } from '../ids.ts';
import { fieldMap, ids, joined, oneOf, ordinals, type RecordCodec } from './record-codec.ts';

/** `forgotten/<id>`: the manifest of this id is no snapshot any more, for ever. */
export interface ForgottenRecord {
  readonly snapshot: SnapshotId;
  readonly forgottenMs: number;
  readonly reason: string;
  /** The snapshot before it on its host, which must be there or forgotten; absent: there was none, or nobody knows. */
  readonly previous?: SnapshotId;
}

/** `damage/<id>`: frames of a pack that are known bad; without ordinals the whole pack. */
export interface DamageRecord {
  readonly pack: PackId;
  readonly ordinals: readonly number[] | undefined;
  readonly foundMs: number;
  /** Chunks that have no other copy. */
  readonly lost: readonly ChunkId[];
}

/** What was checked, by whom, and when. */
export interface LedgerAct {
  readonly act: 'verified' | 'drilled' | 'repaired';
  readonly host: string;
  readonly finishedMs: number;
  readonly isOk: boolean;
  readonly snapshots: readonly SnapshotId[];
  /** Packs of which every byte was read. */
  readonly packs: readonly PackId[];
  /** Further packs: their own lists were read, and their contents were not. */
  readonly listed?: readonly PackId[];
  /** Whatever else the act has to say; the store does not interpret it. */
  readonly detail: CborValue;
}

/** `ledger/<id>`: an act; a merged record tells of earlier ones, too, whose own records may then go. */
export interface LedgerRecord extends LedgerAct {
  /** Oldest first. */
  readonly earlier?: readonly LedgerAct[];
}

/** `holds/<snapshot>.<k>`: the highest k says whether the snapshot is kept from every policy. */
export interface HoldRecord {
  readonly snapshot: SnapshotId;
  readonly version: number;
  readonly isHeld: boolean;
  readonly changedMs: number;
  readonly reason: string;
}

const acts = ['verified', 'drilled', 'repaired'] as const;
const previousField = 4;

export const forgottenRecord: RecordCodec<ForgottenRecord> = {
  encode({ snapshot, forgottenMs, reason, previous }) {
    const fields = fieldMap(fromHex(snapshot), forgottenMs, reason);
    return previous === undefined ? fields : new Map([...fields, [previousField, fromHex(previous)]]);
  },
  decode: fields => ({
    snapshot: hex(fields.bytes(1, 32)) as SnapshotId,
    forgottenMs: fields.time(2),
    reason: fields.text(3),
    ...(fields.has(previousField) && { previous: hex(fields.bytes(previousField, 32)) as SnapshotId }),
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
    foundMs: fields.time(3),
    lost: ids(fields, 4, name).map(id => fromHex(id) as ChunkId),
  }),
};

export const ledgerRecord: RecordCodec<LedgerRecord> = {
  encode({ earlier = [], ...act }) {
    const acts = earlier.map(one => new Map(actFields(one)));
    return acts.length === 0 ? actFields(act) : new Map([...actFields(act), [earlierField, acts]]);
  },
  decode(fields, name) {
    const act = actOf(fields, name);
    if (!fields.has(earlierField)) return act;
    const earlier = fields.list(earlierField);
    return { ...act, earlier: earlier.map(one => actOf(fieldsOf(one, name), name)) };
  },
};

const earlierField = 8;
const listedField = 9;

function actFields(act: LedgerAct): ReadonlyMap<number, CborValue> {
  const fields = fieldMap(
    acts.indexOf(act.act),
    act.host,
    act.finishedMs,
    act.isOk,
    joined(act.snapshots),
    joined(act.packs),
    act.detail,
  );
  return act.listed?.length ? new Map([...fields, [listedField, joined(act.listed)]]) : fields;
}

function actOf(fields: Fields, name: string): LedgerAct {
  return {
    act: oneOf(acts, fields.integer(1), name),
    host: fields.text(2),
    finishedMs: fields.time(3),
    isOk: fields.boolean(4),
    snapshots: ids<SnapshotId>(fields, 5, name),
    packs: ids<PackId>(fields, 6, name),
    detail: fields.value(7),
    ...(fields.has(listedField) && { listed: ids<PackId>(fields, listedField, name) }),
  };
}

export const holdRecord: RecordCodec<HoldRecord> = {
  encode: record =>
    fieldMap(fromHex(record.snapshot), record.version, record.isHeld, record.changedMs, record.reason),
  decode: fields => ({
    snapshot: hex(fields.bytes(1, 32)) as SnapshotId,
    version: fields.integer(2, 1),
    isHeld: fields.boolean(3),
    changedMs: fields.time(4),
    reason: fields.text(5),
  }),
};
