import { createCipheriv, createDecipheriv, timingSafeEqual } from 'node:crypto';
import { storeError } from '../errors.ts';
import type { Blake3 } from '../hash.ts';
import { fromHex, type StoreId } from '../ids.ts';
import type { Randomness } from '../seams.ts';
import { derive } from './hierarchy.ts';
import { type Kdf, kdfProblem, stretch } from './kdf.ts';
import type { RingKey } from './ring.ts';

/** `keys/<id>`: a ring key, wrapped by a passphrase. */
export interface Slot {
  readonly kdf: Kdf;
  /** The number of the ring key that it wraps; rings say in their header which one they need. */
  readonly ringKeyNumber: number;
  readonly createdMs: number;
  /** For people; readable without the passphrase. At most 63 bytes of UTF-8. */
  readonly label: string;
  readonly salt: Uint8Array;
  readonly commitment: Uint8Array;
  readonly wrapped: Uint8Array;
  /** The first bytes of the file, which the wrapping authenticates. */
  readonly authenticated: Uint8Array;
}

const slotBytes = 236;
/** Larger files are not read as slots; a later version may have longer ones. */
export const slotBytesMax = 4096;

const magic = Uint8Array.of(0x89, 0x53, 0x74, 0x6b);
const slotVersion = 1;
const kdfArgon2id = 1;
const kdfScrypt = 2;
const labelBytesMax = 63;
const authenticatedBytes = 160;
const checkAt = slotBytes - 16;

export interface SlotPlace {
  readonly storeId: StoreId;
  /** `keys/<id>`. */
  readonly name: string;
}

/** Wraps a ring key. */
export async function sealSlot(
  ringKey: RingKey,
  options: SlotPlace & {
    readonly passphrase: string;
    readonly kdf: Kdf;
    readonly createdMs: number;
    readonly label: string;
    readonly randomness: Randomness;
    readonly blake3: Blake3;
  },
): Promise<Uint8Array> {
  const { kdf, randomness, blake3 } = options;
  const label = Buffer.from(options.label, 'utf8');
  if (label.length > labelBytesMax) throw new RangeError(`a slot's label has at most ${labelBytesMax} bytes`);
  const salt = randomness.bytes(32);
  const keys = slotKeys(await stretch(options.passphrase, kdf, salt), salt);

  const bytes = Buffer.alloc(slotBytes);
  bytes.set(magic, 0);
  bytes[4] = slotVersion;
  bytes[5] = kdf.type === 'argon2id' ? kdfArgon2id : kdfScrypt;
  const parameters = kdf.type === 'argon2id' ? [kdf.memoryKiB, kdf.passes] : [kdf.cost, kdf.blockSize];
  [...parameters, kdf.lanes ?? 1].forEach((value, index) => void bytes.writeUInt32LE(value, 8 + 4 * index));
  bytes.writeUInt32LE(ringKey.number, 20);
  bytes.writeBigUInt64LE(BigInt(options.createdMs), 24);
  bytes.set(salt, 32);
  bytes.set(keys.commitment, 64);
  bytes[96] = label.length;
  bytes.set(label, 97);

  const nonce = randomness.bytes(12);
  const cipher = createCipheriv('aes-256-gcm', keys.wrap, nonce);
  cipher.setAAD(wrapContext(bytes, options));
  bytes.set(nonce, 160);
  bytes.set(cipher.update(ringKey.key), 172);
  cipher.final();
  bytes.set(cipher.getAuthTag(), 204);
  bytes.set(blake3.hash(bytes.subarray(0, checkAt)).subarray(0, 16), checkAt);
  return new Uint8Array(bytes);
}

/**
 * Reads a slot without opening it. Wrong checksum, or parameters that v1 does not allow: STORE_DAMAGED; right checksum
 * but unknown version or derivation: STORE_NEWER.
 */
export function decodeSlot(bytes: Uint8Array, { name, blake3 }: { name: string; blake3: Blake3 }): Slot {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // A later version may be longer; its checksum is at its end all the same.
  if (buffer.length < 32) throw damaged(name, `it is ${buffer.length} bytes, need ${slotBytes}`);
  const check = blake3.hash(buffer.subarray(0, -16)).subarray(0, 16);
  if (!buffer.subarray(-16).equals(check)) throw damaged(name, 'it does not match its checksum');
  if (!buffer.subarray(0, 4).equals(magic)) throw damaged(name, 'it is no key slot');
  if (buffer[4] !== slotVersion) throw newer(name, `its version is ${buffer[4]}`);
  if (buffer.readUInt16LE(6) !== 0) throw newer(name, 'it uses fields that are not in use');
  if (buffer.length !== slotBytes) throw damaged(name, `it is ${buffer.length} bytes, need ${slotBytes}`);
  const kdf = readKdf(buffer);
  if (kdf === undefined) throw newer(name, `its key derivation is ${buffer[5]}`);
  const problem = kdfProblem(kdf);
  if (problem !== undefined) throw damaged(name, `its key derivation is out of bounds: ${problem}`);
  const labelLength = buffer[96]!;
  const createdMs = buffer.readBigUInt64LE(24);
  const ringKeyNumber = buffer.readUInt32LE(20);
  if (labelLength > labelBytesMax || createdMs > Number.MAX_SAFE_INTEGER || ringKeyNumber === 0) {
    throw damaged(name, 'its fields are out of bounds');
  }
  return {
    kdf,
    ringKeyNumber,
    createdMs: Number(createdMs),
    label: buffer.toString('utf8', 97, 97 + labelLength),
    salt: bytes.slice(32, 64),
    commitment: bytes.slice(64, 96),
    wrapped: bytes.slice(160, checkAt),
    authenticated: bytes.slice(0, authenticatedBytes),
  };
}

/** The ring key, or undefined when the passphrase is not this slot's. */
export async function openSlot(
  slot: Slot,
  { passphrase, ...place }: SlotPlace & { readonly passphrase: string },
): Promise<Uint8Array | undefined> {
  const keys = slotKeys(await stretch(passphrase, slot.kdf, slot.salt), slot.salt);
  if (!timingSafeEqual(keys.commitment, slot.commitment)) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', keys.wrap, slot.wrapped.subarray(0, 12), {
    authTagLength: 16,
  });
  decipher.setAAD(wrapContext(slot.authenticated, place));
  decipher.setAuthTag(slot.wrapped.subarray(44));
  const ringKey = decipher.update(slot.wrapped.subarray(12, 44));
  try {
    decipher.final();
  } catch (cause) {
    throw damaged(place.name, 'the passphrase is right, but what it wraps does not match its seal', cause);
  }
  return new Uint8Array(ringKey);
}

function readKdf(buffer: Buffer): Kdf | undefined {
  const [first, second, lanes] = [buffer.readUInt32LE(8), buffer.readUInt32LE(12), buffer.readUInt32LE(16)];
  if (buffer[5] === kdfArgon2id) return { type: 'argon2id', memoryKiB: first, passes: second, lanes };
  if (buffer[5] === kdfScrypt) return { type: 'scrypt', cost: first, blockSize: second, lanes };
  return undefined;
}

/** The commitment says which key it is without using it: one ciphertext can't be made to open under two passphrases. */
function slotKeys(stretched: Uint8Array, salt: Uint8Array): { wrap: Uint8Array; commitment: Uint8Array } {
  return {
    wrap: derive(stretched, 'slot/wrap', { salt }),
    commitment: derive(stretched, 'slot/commitment', { salt }),
  };
}

function wrapContext(bytes: Uint8Array, { storeId, name }: SlotPlace): Uint8Array {
  const nameBytes = Buffer.from(name, 'utf8');
  const length = Buffer.alloc(2);
  length.writeUInt16LE(nameBytes.length);
  return Buffer.concat([bytes.subarray(0, authenticatedBytes), fromHex(storeId), length, nameBytes]);
}

function damaged(name: string, state: string, cause?: unknown): Error {
  return storeError('STORE_DAMAGED', `Cannot read key slot ${name}: ${state}`, {
    remedy: 'Put back the file from a copy of the store, or use the passphrase of another slot.',
    context: { object: name },
    cause,
  });
}

function newer(name: string, state: string): Error {
  return storeError(
    'STORE_NEWER',
    `Cannot read key slot ${name}: ${state}, and this program knows version 1`,
    {
      remedy: 'Use a newer Stillpoint with this store.',
      context: { object: name },
    },
  );
}
