import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { type Fields, fieldsOf } from './cbor-fields.ts';
import type { ChunkRef } from './content.ts';
import { storeError } from './errors.ts';
import { fromHex, hex, type SessionId, type SnapshotId } from './ids.ts';
import type { KeyRing } from './keys/index.ts';
import { decodeRefs, encodeRefs } from './protocol/records.ts';
import { openRecordBody, sealRecordBody } from './record.ts';
import { createSeal, decodeHeader, headerBytes, openSeal } from './seal/index.ts';
import type { Randomness } from './seams.ts';

/** A snapshot's root record. What body says is the engine's. */
export interface Manifest {
  readonly id: SnapshotId;
  readonly host: string;
  /** Counts this host's snapshots from 1. */
  readonly sequence: number;
  /** The one before in this host's sequence. */
  readonly previous: SnapshotId | null;
  /** Wall clock of the commit; decides nothing but the order of a list. */
  readonly createdMs: number;
  /** Everything that the snapshot needs is reachable from here. */
  readonly roots: readonly ChunkRef[];
  /** The manifests that were there when this one was made. */
  readonly seen: { readonly count: number; readonly digest: Uint8Array };
  readonly body: CborValue;
  /** A write-only host signed it: nobody else vouches for what it says. */
  readonly isWriteOnly?: true;
}

/** What stands outside the seal, so that a host without the passphrase can keep its sequence. */
export interface ManifestOuter {
  readonly host: string;
  readonly sequence: number;
  readonly previous: SnapshotId | null;
}

export const manifestBytesMax = 64 * 1024 * 1024;
const outerBytesMax = 64 * 1024;
const checkBytes = 16;
const fields = { outer: 1, createdMs: 2, roots: 3, seenCount: 4, seenDigest: 5, body: 6 } as const;

export function manifestName(id: SnapshotId | SessionId): string {
  return `manifests/${id}`;
}

/** header 96 ‖ outer length u32 ‖ outer CBOR ‖ check 16 ‖ sealed record. The id is the session's. */
export function encodeManifest(
  ring: KeyRing,
  manifest: Manifest,
  options: { readonly randomness: Randomness },
): Uint8Array {
  const session = manifest.id as string as SessionId;
  const place = { kind: 'manifest', session, name: manifestName(manifest.id), ...options } as const;
  const seal = createSeal(ring, place);
  const outer = encodeOuter(manifest);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(outer.length);
  const clear = Buffer.concat([seal.header, length, outer]);
  const check = ring.blake3.hash(clear).subarray(0, checkBytes);
  const sealed = sealRecordBody(ring, seal, recordOf(manifest, outer));
  return Buffer.concat([clear, check, sealed]);
}

function recordOf(manifest: Manifest, outer: Uint8Array): ReadonlyMap<number, CborValue> {
  return new Map<number, CborValue>([
    [fields.outer, outer],
    [fields.createdMs, manifest.createdMs],
    [fields.roots, encodeRefs(manifest.roots)],
    [fields.seenCount, manifest.seen.count],
    [fields.seenDigest, manifest.seen.digest],
    [fields.body, manifest.body],
  ]);
}

/**
 * STORE_DAMAGED for what nobody could read again, since a reader's limits are the writer's, too. Looks at what was to be
 * sealed: a host without the passphrase cannot open what it made.
 */
export function checkReadable(manifest: Manifest, bytes: Uint8Array): void {
  const name = manifestName(manifest.id);
  if (bytes.length > manifestBytesMax) throw damaged(name, `it has ${bytes.length} bytes`);
  const outer = encodeOuter(manifest);
  if (outer.length > outerBytesMax) throw damaged(name, `its clear part has ${outer.length} bytes`);
  decodeOuter(fieldsOf(decodeCbor(outer, { what: name }), name), name);
  fieldsOf(decodeCbor(encodeCbor(recordOf(manifest, outer)), { what: name }), name).time(fields.createdMs);
}

/** Opens a manifest. STORE_DAMAGED, STORE_NEWER. An aborted run's object is undefined: it is no snapshot. */
export function decodeManifest(ring: KeyRing, bytes: Uint8Array, id: SnapshotId): Manifest | undefined {
  const name = manifestName(id);
  const seal = openSeal(ring, bytes, { kind: ['manifest', 'aborted'], name });
  if (seal.facts.kind === 'aborted') {
    openRecordBody(ring, { seal, name }, bytes.subarray(headerBytes));
    return undefined;
  }
  const { outer, outerBytes, end } = readOuter(ring, bytes, name);
  const { fields: record, host } = openRecordBody(ring, { seal, name }, bytes.subarray(end));
  // The outer part is believed by those who can check nothing else; everyone else compares.
  if (Buffer.compare(record.bytes(fields.outer), outerBytes) !== 0)
    throw damaged(name, 'its clear part is not the one that was sealed');
  if (host !== undefined && host !== outer.host)
    throw damaged(name, `${host} signed it, and it says to be of ${outer.host}`);
  return {
    id,
    ...outer,
    createdMs: record.time(fields.createdMs),
    roots: decodeRefs(record.list(fields.roots), name),
    seen: { count: record.integer(fields.seenCount), digest: record.bytes(fields.seenDigest, 32) },
    body: record.value(fields.body),
    ...(host === undefined ? {} : { isWriteOnly: true as const }),
  };
}

/**
 * The clear part of a manifest, for who can't open it: nothing of it is proven. Undefined for an aborted run.
 * STORE_DAMAGED, STORE_NEWER.
 */
export function decodeClearPart(ring: KeyRing, bytes: Uint8Array, id: SnapshotId): ManifestOuter | undefined {
  const name = manifestName(id);
  const { kind } = decodeHeader(bytes, ring.blake3, name);
  if (kind === 'aborted') return undefined;
  if (kind !== 'manifest') throw damaged(name, `it says to be a ${kind}`);
  return readOuter(ring, bytes, name).outer;
}

function encodeOuter({ host, sequence, previous }: ManifestOuter): Uint8Array {
  return encodeCbor(
    new Map<number, CborValue>([
      [0, []],
      [1, host],
      [2, sequence],
      [3, previous === null ? null : fromHex(previous)],
    ]),
  );
}

function readOuter(
  ring: KeyRing,
  bytes: Uint8Array,
  name: string,
): { outer: ManifestOuter; outerBytes: Uint8Array; end: number } {
  const start = headerBytes + 4;
  if (bytes.length < start) throw damaged(name, 'it is cut short');
  const length = Buffer.from(bytes.buffer, bytes.byteOffset + headerBytes, 4).readUInt32LE();
  const end = start + length + checkBytes;
  if (length > outerBytesMax || bytes.length < end) throw damaged(name, 'its clear part is cut short');
  const check = ring.blake3.hash(bytes.subarray(0, start + length)).subarray(0, checkBytes);
  if (Buffer.compare(check, bytes.subarray(start + length, end)) !== 0)
    throw damaged(name, 'its clear part does not match its checksum');
  const outerBytes = bytes.subarray(start, start + length);
  return {
    outer: decodeOuter(fieldsOf(decodeCbor(outerBytes, { what: name }), name), name),
    outerBytes,
    end,
  };
}

function decodeOuter(outer: Fields, name: string): ManifestOuter {
  const [feature] = outer.list(0);
  if (feature !== undefined)
    throw storeError('STORE_NEWER', `Cannot read ${name}: it needs the feature ${String(feature)}`, {
      remedy: 'Use a newer Stillpoint with this store.',
    });
  return {
    host: outer.text(1),
    sequence: sequenceOf(outer, name),
    previous: outer.isNull(3) ? null : (hex(outer.bytes(3, 32)) as SnapshotId),
  };
}

/** More than any host will make: the one after it must be a number, too. */
const sequenceMax = 2 ** 40;

function sequenceOf(outer: Fields, name: string): number {
  const sequence = outer.integer(2, 1);
  if (sequence > sequenceMax) throw damaged(name, `its sequence is ${sequence}`);
  return sequence;
}

function damaged(name: string, state: string): Error {
  return storeError('STORE_DAMAGED', `Cannot read ${name}: ${state}`, {
    remedy: 'Run `stillpoint verify` to see what else is damaged.',
    context: { object: name },
  });
}
