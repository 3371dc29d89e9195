import type { ChunkRef } from '../content.ts';
import { fromHex, hex, type SessionId, type SnapshotId } from '../ids.ts';
import { decodeRefs, encodeRefs, fieldMap, ids, joined, oneOf, type RecordCodec } from './record-codec.ts';

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

/** `manifests/<id>` of kind aborted: this run can never commit. */
export interface AbortedRecord {
  readonly by: SessionId;
  readonly abortedMs: number;
  /** The generation whose pruner found the intent stale. */
  readonly generation: number;
}

const purposes = ['backup', 'prune', 'read'] as const;

export const sessionRecord: RecordCodec<SessionRecord> = {
  encode: record =>
    fieldMap(purposes.indexOf(record.purpose), record.host, record.startedMs, joined(record.snapshots)),
  decode: (fields, name) => ({
    purpose: oneOf(purposes, fields.integer(1), name),
    host: fields.text(2),
    startedMs: fields.time(3),
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

export const abortedRecord: RecordCodec<AbortedRecord> = {
  encode: record => fieldMap(fromHex(record.by), record.abortedMs, record.generation),
  decode: fields => ({
    by: hex(fields.bytes(1, 32)) as SessionId,
    abortedMs: fields.time(2),
    generation: fields.integer(3),
  }),
};
