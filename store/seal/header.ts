import { storeError } from '../errors.ts';
import type { Blake3 } from '../hash.ts';
import { fromHex, hex, type SessionId } from '../ids.ts';
import { kindFromByte, type ObjectKind, objectKinds } from './kinds.ts';

/** Every sealed object begins with this many bytes of header. */
export const headerBytes = 96;
export const sealedFormatVersion = 1;

const magic = Uint8Array.of(0x89, 0x53, 0x74, 0x70); // not ASCII first: a transfer as text would show
const checkBytes = 16;

/** 0: the object key comes from the epoch's secret. 1: `random` is an ephemeral X25519 public key. */
export type Kem = 0 | 1;

/** The clear first bytes of a sealed object. Believed only after their check, trusted only after the seal. */
export interface ObjectHeader {
  readonly kind: ObjectKind;
  readonly kem: Kem;
  /** From 1. For a ring: the number of the ring key. */
  readonly epoch: number;
  /** The session that wrote it; zeros where no session did. */
  readonly session: SessionId;
  /** 32 bytes, new for each object. */
  readonly random: Uint8Array;
}

export function encodeHeader(header: ObjectHeader, blake3: Blake3): Uint8Array {
  const bytes = new Uint8Array(headerBytes);
  bytes.set(magic, 0);
  bytes[4] = sealedFormatVersion;
  bytes[5] = objectKinds[header.kind].byte;
  bytes[6] = header.kem;
  new DataView(bytes.buffer).setUint32(8, header.epoch, true);
  const session = fromHex(header.session);
  if (session.length !== 32) throw new RangeError(`a session id is 32 bytes, not ${session.length}`);
  if (header.random.length !== 32)
    throw new RangeError(`a header has 32 random bytes, not ${header.random.length}`);
  bytes.set(session, 16);
  bytes.set(header.random, 48);
  bytes.set(blake3.hash(bytes.subarray(0, headerBytes - checkBytes)).subarray(0, checkBytes), 80);
  return bytes;
}

/**
 * Reads the first 96 bytes. Wrong check: STORE_DAMAGED. Right check, but a version, kind or key encapsulation that this
 * program does not know: STORE_NEWER. `name` is for the message.
 */
export function decodeHeader(bytes: Uint8Array, blake3: Blake3, name: string): ObjectHeader {
  if (bytes.length < headerBytes) {
    throw damaged(name, `it is ${bytes.length} bytes, a header alone has ${headerBytes}`);
  }
  const head = bytes.subarray(0, headerBytes);
  const check = blake3.hash(head.subarray(0, headerBytes - checkBytes)).subarray(0, checkBytes);
  if (Buffer.compare(check, head.subarray(80)) !== 0)
    throw damaged(name, 'its header does not match its checksum');
  if (Buffer.compare(magic, head.subarray(0, 4)) !== 0) throw damaged(name, 'it is no sealed object');
  const view = new DataView(head.buffer, head.byteOffset, headerBytes);
  const version = head[4]!;
  if (version !== sealedFormatVersion) throw newer(name, `its format version is ${version}`);
  const kind = kindFromByte(head[5]!);
  if (kind === undefined) throw newer(name, `its kind is ${head[5]}`);
  const kem = head[6]!;
  if (kem > 1) throw newer(name, `its key encapsulation is ${kem}`);
  if (head[7] !== 0 || view.getUint32(12, true) !== 0)
    throw newer(name, 'it uses fields that are not in use');
  const epoch = view.getUint32(8, true);
  if (epoch === 0) throw damaged(name, 'its epoch is 0');
  return {
    kind,
    kem: kem as Kem,
    epoch,
    session: hex(head.subarray(16, 48)) as SessionId,
    random: head.slice(48, 80),
  };
}

function damaged(name: string, state: string): Error {
  return storeError('STORE_DAMAGED', `Cannot open ${name}: ${state}`, {
    remedy: 'Run `stillpoint verify --read-data` to see what else is damaged.',
    context: { object: name },
  });
}

function newer(name: string, state: string): Error {
  return storeError('STORE_NEWER', `Cannot open ${name}: ${state}, and this program knows version 1`, {
    remedy: 'Use a newer Stillpoint with this store.',
    context: { object: name },
  });
}
