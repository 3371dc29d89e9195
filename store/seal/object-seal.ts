import { type Cipher, createCipheriv, createDecipheriv, type Decipher } from 'node:crypto';
import { copyBytes } from '../copy-bytes.ts';
import { storeError } from '../errors.ts';
import type { Blake3 } from '../hash.ts';
import { fromHex, type SessionId, type StoreId } from '../ids.ts';
import { derive } from '../keys/hierarchy.ts';
import type { Randomness } from '../seams.ts';
import { decodeHeader, encodeHeader, headerBytes, type ObjectHeader } from './header.ts';
import { decapsulate, encapsulate } from './kem.ts';
import { type ObjectKind, objectKinds, type Purpose } from './kinds.ts';

/** What sealing needs of the keys; the ring has it, and so has a reader of some purposes only. */
export interface SealKeys {
  readonly storeId: StoreId;
  /** The newest epoch: new objects are sealed under it. From 1. */
  readonly epoch: number;
  readonly blake3: Blake3;
  /** 32 bytes; undefined for an epoch that these keys do not know. */
  purposeKey(purpose: Purpose, epoch: number): Uint8Array | undefined;
  /** The public key to seal to in the newest epoch, where the purpose's own key is not at hand. */
  recipient?(purpose: Purpose): Uint8Array | undefined;
}

/** What sealing and opening one object takes, and no other object's key: another thread gets this and not the keys. */
export interface SealMaterial {
  /** 96 bytes: the object begins with them. */
  readonly header: Uint8Array;
  readonly facts: ObjectHeader;
  readonly name: string;
  /** What the seal binds beside the content. */
  readonly context: Uint8Array;
  /** Key and nonce key of this object, 32 bytes each. */
  readonly pair: Uint8Array;
}

/** One object's key. Sealing and opening do not depend on order. */
export interface ObjectSeal {
  /** 96 bytes: the object begins with them. */
  readonly header: Uint8Array;
  readonly facts: ObjectHeader;
  readonly material: SealMaterial;
  /**
   * nonce 12 ‖ ciphertext ‖ tag 16. An ordinal is used for one plaintext; the same pair gives the same bytes.
   * Ordinal 0 is the whole of an object of one part.
   */
  seal(ordinal: bigint, plain: Uint8Array): Uint8Array;
  /** The same in place: the plaintext lies at `sealLeadBytes`, with room for the tag behind it. */
  sealInPlace(ordinal: bigint, place: Uint8Array): void;
  /** The plaintext, in memory of its own. STORE_DAMAGED. */
  open(ordinal: bigint, sealed: Uint8Array): Uint8Array;
  /** The same into the beginning of memory that is there already: a view of it. */
  openInto(target: Uint8Array, ordinal: bigint, sealed: Uint8Array): Uint8Array;
  /** What a signature of this object covers, given the body without its signature. */
  signedBytes(body: Uint8Array): Uint8Array;
}

/** The part of a pack that lists the others. */
export const trailerOrdinal = 2n ** 64n - 1n;

/** What sealing adds to a part's length. */
export const sealOverheadBytes = 28;

const nonceBytes = 12;
const tagBytes = 16;
/** How far a part's content lies behind its start. */
export const sealLeadBytes = nonceBytes;
/** A cipher gives its output in new memory; in pieces that a processor keeps at hand that is 1.5 times as fast. */
const pieceBytes = 64 * 1024;

export interface CreateSealOptions {
  readonly kind: ObjectKind;
  readonly session: SessionId;
  /** The object's full name in the store, `packs/ab/abcd…`. */
  readonly name: string;
  readonly randomness: Randomness;
}

/** A new object's seal under the newest epoch; its random bytes make its key unlike every other's. */
export function createSeal(keys: SealKeys, options: CreateSealOptions): ObjectSeal {
  const { kind, session, name, randomness } = options;
  const recipient = keys.recipient?.(objectKinds[kind].purpose);
  if (recipient !== undefined) return createSealTo(recipient, keys, options);
  const facts: ObjectHeader = { kind, kem: 0, epoch: keys.epoch, session, random: randomness.bytes(32) };
  return makeSeal(keys, {
    facts,
    header: encodeHeader(facts, keys.blake3),
    name,
    secret: purposeKeyOf(keys, facts, name),
  });
}

/** As createSeal, by who has only the purpose's public key: a write-only host can seal what it cannot open again later. */
export function createSealTo(
  recipient: Uint8Array,
  keys: Pick<SealKeys, 'storeId' | 'epoch' | 'blake3'>,
  { kind, session, name, randomness }: CreateSealOptions,
): ObjectSeal {
  if (!acceptsKem(kind)) throw new RangeError(`Cannot seal ${name}: ${kind} has no public key`);
  const { random, secret } = encapsulate(recipient, randomness.bytes(32));
  const facts: ObjectHeader = { kind, kem: 1, epoch: keys.epoch, session, random };
  return makeSeal(keys, { facts, header: encodeHeader(facts, keys.blake3), name, secret });
}

/**
 * The seal of an object that exists. `bytes` begin with its header. Another kind than expected, a broken header, an
 * epoch that never was: STORE_DAMAGED. Unknown but whole: STORE_NEWER. `kind` may list several.
 */
export function openSeal(
  keys: SealKeys,
  bytes: Uint8Array,
  { kind, name }: { readonly kind: ObjectKind | readonly ObjectKind[]; readonly name: string },
): ObjectSeal {
  const facts = decodeHeader(bytes, keys.blake3, name);
  const kinds: readonly ObjectKind[] = typeof kind === 'string' ? [kind] : kind;
  if (!kinds.includes(facts.kind))
    throw damaged(name, `it says to be a ${facts.kind}, not a ${kinds.join(' or ')}`);
  let secret = purposeKeyOf(keys, facts, name);
  if (facts.kem === 1) {
    if (!acceptsKem(facts.kind)) throw damaged(name, `a ${facts.kind} is never sealed to a public key`);
    try {
      secret = decapsulate(secret, facts.random);
    } catch (cause) {
      throw damaged(name, 'its ephemeral key is not one', cause);
    }
  }
  return makeSeal(keys, { facts, header: bytes.slice(0, headerBytes), name, secret });
}

/**
 * Another seal of the same object, made from its header as a reader makes it, for looking at what was sealed before it is
 * published. A write-only host can't: it gets the seal that it has, once the header says what it should.
 */
export function proofSeal(
  keys: SealKeys,
  seal: ObjectSeal,
  expected: { readonly kind: ObjectKind; readonly name: string },
): ObjectSeal {
  if (seal.facts.kem === 0) return openSeal(keys, seal.header, expected);
  const { kind, kem, epoch, session, random } = decodeHeader(seal.header, keys.blake3, expected.name);
  const { facts } = seal;
  const isSame =
    kind === expected.kind &&
    kem === facts.kem &&
    epoch === facts.epoch &&
    session === facts.session &&
    Buffer.compare(random, facts.random) === 0;
  if (!isSame) throw damaged(expected.name, 'its header is not the one that was meant');
  return seal;
}

/** A whole object of one part: header ‖ nonce ‖ ciphertext ‖ tag. */
export function sealObject(keys: SealKeys, options: CreateSealOptions, body: Uint8Array): Uint8Array {
  const seal = createSeal(keys, options);
  return joinObject(seal, body);
}

/** The bytes of an object of one part under a seal that was made before, as a signed body needs it. */
export function joinObject(seal: ObjectSeal, body: Uint8Array): Uint8Array {
  const sealed = seal.seal(0n, body);
  const bytes = new Uint8Array(headerBytes + sealed.length);
  bytes.set(seal.header, 0);
  bytes.set(sealed, headerBytes);
  return bytes;
}

/** Opens a whole object of one part. */
export function openObject(
  keys: SealKeys,
  bytes: Uint8Array,
  expected: { readonly kind: ObjectKind | readonly ObjectKind[]; readonly name: string },
): { readonly body: Uint8Array; readonly facts: ObjectHeader; readonly seal: ObjectSeal } {
  const seal = openSeal(keys, bytes, expected);
  return { body: seal.open(0n, bytes.subarray(headerBytes)), facts: seal.facts, seal };
}

interface SealParts {
  readonly facts: ObjectHeader;
  readonly header: Uint8Array;
  readonly name: string;
  /** The purpose's key, or what the key encapsulation gave in its place. */
  readonly secret: Uint8Array;
}

function makeSeal(
  keys: Pick<SealKeys, 'storeId' | 'blake3'>,
  { facts, header, name, secret }: SealParts,
): ObjectSeal {
  const pair = derive(secret, `object/${facts.kind}`, { salt: facts.random, length: 64 });
  return sealFrom({ header, facts, name, context: contextOf(header, keys.storeId, name), pair }, keys.blake3);
}

/** The seal that the material is of. */
export function sealFrom(material: SealMaterial, blake3: Blake3): ObjectSeal {
  const { header, facts, name, context, pair } = material;
  const key = pair.subarray(0, 32);
  const nonceKey = pair.subarray(32);
  const sealInPlace = (ordinal: bigint, place: Uint8Array): void => {
    const ordinalAt = ordinalBytes(ordinal);
    const content = place.subarray(nonceBytes, place.length - tagBytes);
    const nonce = blake3.keyed(nonceKey, [ordinalAt, content]).subarray(0, nonceBytes);
    const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes });
    cipher.setAAD(Buffer.concat([context, ordinalAt]));
    place.set(nonce, 0);
    update(cipher, content, content);
    cipher.final(); // GCM holds nothing back
    place.set(cipher.getAuthTag(), place.length - tagBytes);
  };
  const openInto = (target: Uint8Array, ordinal: bigint, sealed: Uint8Array): Uint8Array => {
    if (sealed.length < sealOverheadBytes) throw damaged(name, 'a sealed part is cut short');
    const tagAt = sealed.length - tagBytes;
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, nonceBytes), {
      authTagLength: tagBytes,
    });
    decipher.setAAD(Buffer.concat([context, ordinalBytes(ordinal)]));
    decipher.setAuthTag(sealed.subarray(tagAt));
    update(decipher, sealed.subarray(nonceBytes, tagAt), target);
    try {
      decipher.final();
    } catch (cause) {
      const part = ordinal === trailerOrdinal ? 'its trailer' : `part ${ordinal}`;
      throw damaged(name, `${part} does not match its seal`, cause);
    }
    return target.subarray(0, tagAt - nonceBytes);
  };
  return {
    header,
    facts,
    material,
    sealInPlace,
    openInto,
    seal(ordinal, plain) {
      const sealed = new Uint8Array(plain.length + sealOverheadBytes);
      copyBytes(plain, sealed, nonceBytes);
      sealInPlace(ordinal, sealed);
      return sealed;
    },
    open(ordinal, sealed) {
      return openInto(new Uint8Array(Math.max(0, sealed.length - sealOverheadBytes)), ordinal, sealed);
    },
    signedBytes: body => Buffer.concat([signatureDomain, context, body]),
  };
}

function update(cipher: Cipher | Decipher, from: Uint8Array, to: Uint8Array): void {
  for (let at = 0; at < from.length; at += pieceBytes)
    copyBytes(cipher.update(from.subarray(at, at + pieceBytes)), to, at);
}

const signatureDomain = Buffer.from('stillpoint/v1/signature\0', 'latin1');

/** header 96 ‖ store id 32 ‖ length of the name u16 ‖ name: what neither another store nor another name can share. */
function contextOf(header: Uint8Array, storeId: StoreId, name: string): Uint8Array {
  const nameBytes = Buffer.from(name, 'utf8');
  const length = Buffer.alloc(2);
  length.writeUInt16LE(nameBytes.length);
  return Buffer.concat([header, fromHex(storeId), length, nameBytes]);
}

function ordinalBytes(ordinal: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(ordinal);
  return bytes;
}

function purposeKeyOf(keys: SealKeys, facts: ObjectHeader, name: string): Uint8Array {
  const key = keys.purposeKey(objectKinds[facts.kind].purpose, facts.epoch);
  if (key !== undefined) return key;
  if (facts.epoch > keys.epoch) {
    throw storeError(
      'STORE_NEWER',
      `Cannot open ${name}: it is of epoch ${facts.epoch}, the keys at hand end at ${keys.epoch}`,
      {
        remedy: 'The keys were changed since this program read them: run it again.',
        context: { object: name, epoch: facts.epoch },
      },
    );
  }
  throw damaged(name, `there is no key of epoch ${facts.epoch}`);
}

function acceptsKem(kind: ObjectKind): boolean {
  const { purpose } = objectKinds[kind];
  return purpose === 'data' || purpose === 'metadata';
}

function damaged(name: string, state: string, cause?: unknown): Error {
  return storeError('STORE_DAMAGED', `Cannot open ${name}: ${state}`, {
    remedy: 'Run `stillpoint verify --read-data` to see what else is damaged.',
    context: { object: name },
    cause,
  });
}
