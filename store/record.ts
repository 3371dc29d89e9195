import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { type Fields, fieldsOf } from './cbor-fields.ts';
import { isStoreError, type StillpointError, type StoreErrorCode, storeError } from './errors.ts';
import type { SessionId } from './ids.ts';
import { type KeyRing, writeOnly } from './keys/index.ts';
import {
  createSeal,
  isSignedBy,
  type ObjectHeader,
  type ObjectKind,
  type ObjectSeal,
  objectKinds,
  openSeal,
  type Signer,
  signatureBytes,
} from './seal/index.ts';
import type { Randomness } from './seams.ts';

/** The fields of a record by number, from 1 on; 0 is the list of features that a reader must know. */
export type RecordFields = ReadonlyMap<number, CborValue>;

export interface RecordPlace {
  readonly kind: ObjectKind;
  readonly session: SessionId;
  readonly name: string;
  readonly randomness: Randomness;
}

/** An opened record. */
export interface OpenedRecord {
  readonly fields: Fields;
  readonly facts: ObjectHeader;
  /** 'key holder', a host's name, or undefined where nobody signed. */
  readonly signedBy: string | undefined;
  /** The write-only host that signed it; undefined: a key holder's word. */
  readonly host: string | undefined;
}

const featuresField = 0;

const keyHolderKinds: ReadonlySet<ObjectKind> = new Set<ObjectKind>([
  'generation',
  'sweep',
  'done',
  'forgotten',
  'damage',
  'ledger',
  'aborted',
  'hold',
]);

/** A whole object that is one record: header ‖ sealed(signature length u8 ‖ signature ‖ CBOR). */
export function sealRecord(ring: KeyRing, place: RecordPlace, fields: RecordFields): Uint8Array {
  const seal = createSeal(ring, place);
  return Buffer.concat([seal.header, sealRecordBody(ring, seal, fields)]);
}

/** The sealed part alone, for objects that have more between header and record. */
export function sealRecordBody(ring: KeyRing, seal: ObjectSeal, fields: RecordFields): Uint8Array {
  const body = encodeCbor(new Map<number, CborValue>([[featuresField, []], ...fields]));
  // Always: a host without the passphrase that is added later can write records, and must not be able to have written
  // the earlier ones.
  const signature = signerOf(ring, seal, fields).sign(seal.signedBytes(body));
  return seal.seal(0n, Buffer.concat([Uint8Array.of(signature.length), signature, body]));
}

function signerOf(ring: KeyRing, { facts }: ObjectSeal, fields: RecordFields): Signer {
  const { self } = ring;
  if (self === undefined) return ring.keyHolder();
  // What a reader would refuse is not written; a sweep without anything in it is a veto, which every writer may give.
  const isVeto = facts.kind === 'sweep' && [2, 3].every(key => isEmpty(fields.get(key)));
  if (keyHolderKinds.has(facts.kind) && !isVeto)
    throw writeOnly(self.name, `a record of kind ${facts.kind} for writing`);
  return self.signer;
}

function isEmpty(value: CborValue | undefined): boolean {
  return value instanceof Uint8Array && value.length === 0;
}

/** Whether an object was sealed by a member of the store who may not say such a thing. It is not damaged: it does not count. */
export function isUntrusted(error: unknown): error is StillpointError<StoreErrorCode> {
  return isStoreError(error) && error.code === 'STORE_DAMAGED' && error.context['isUntrusted'] === true;
}

/** Whether somebody without the passphrase can have written records: then a name alone says nothing. */
export function mayHostsWrite({ hosts, self }: KeyRing): boolean {
  return hosts.length > 0 || self !== undefined;
}

/** Opens a record. STORE_DAMAGED; STORE_NEWER when it needs a feature that this program does not know. */
export function openRecord(
  ring: KeyRing,
  bytes: Uint8Array,
  expected: { readonly kind: ObjectKind | readonly ObjectKind[]; readonly name: string },
): OpenedRecord {
  const seal = openSeal(ring, bytes, expected);
  return openRecordBody(ring, { seal, name: expected.name }, bytes.subarray(seal.header.length));
}

/** The inverse of sealRecordBody. */
export function openRecordBody(
  ring: KeyRing,
  { seal, name }: { readonly seal: ObjectSeal; readonly name: string },
  sealed: Uint8Array,
): OpenedRecord {
  const plain = seal.open(0n, sealed);
  const signed = plain[0];
  if (signed === undefined || (signed !== 0 && signed !== signatureBytes) || plain.length <= 1 + signed)
    throw storeError('STORE_DAMAGED', `Cannot read ${name}: its signature field is malformed`);
  const body = plain.subarray(1 + signed);
  const { signedBy, host } = signer(ring, seal, { name, body, signature: plain.subarray(1, 1 + signed) });
  const fields = fieldsOf(decodeCbor(body, { what: name }), name);
  const [feature] = fields.list(featuresField);
  if (feature !== undefined)
    throw storeError('STORE_NEWER', `Cannot read ${name}: it needs the feature ${String(feature)}`, {
      remedy: 'Use a newer Stillpoint with this store.',
      context: { object: name },
    });
  return { fields, facts: seal.facts, signedBy, host };
}

function signer(
  ring: KeyRing,
  seal: ObjectSeal,
  { name, body, signature }: { name: string; body: Uint8Array; signature: Uint8Array },
): Pick<OpenedRecord, 'signedBy' | 'host'> {
  const { epoch, kind, kem } = seal.facts;
  if (signature.length === 0) {
    const canHostsWrite = kem === 1 || (ring.hosts.length > 0 && objectKinds[kind].purpose === 'index');
    if (!canHostsWrite) return { signedBy: undefined, host: undefined };
    throw untrusted(name, 'it has no signature, and a host without the passphrase may have written it');
  }
  const message = seal.signedBytes(body);
  if (isSignedBy(ring.keyHolder(epoch).publicKey, message, signature))
    return { signedBy: 'key holder', host: undefined };
  const host = ring.hosts.find(
    ({ publicKey, fromEpoch, untilEpoch = Number.POSITIVE_INFINITY }) =>
      epoch >= fromEpoch && epoch <= untilEpoch && isSignedBy(publicKey, message, signature),
  );
  if (host === undefined) throw untrusted(name, 'its signature is nobody’s that the key ring lists');
  if (keyHolderKinds.has(kind) && kind !== 'sweep')
    throw untrusted(name, `${host.name} signed it, and only a holder of the passphrase may`);
  return { signedBy: host.name, host: host.name };
}

function untrusted(name: string, state: string): Error {
  return storeError('STORE_DAMAGED', `Cannot trust ${name}: ${state}`, {
    context: { object: name, isUntrusted: true },
  });
}
