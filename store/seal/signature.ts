import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

/** Signs as one host or key holder. Ed25519 of Node takes keys from bytes only in their DER envelope. */
export interface Signer {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes. What is signed is an object's `signedBytes`, so that a signature fits one object of one store. */
  sign(message: Uint8Array): Uint8Array;
}

export const signatureBytes = 64;

const privatePrefix = Buffer.from('302e020100300506032b657004220420', 'hex'); // RFC 8410, PKCS #8
const publicPrefix = Buffer.from('302a300506032b6570032100', 'hex'); // RFC 8410, SubjectPublicKeyInfo

/** From a 32-byte seed: a key holder's is derived from the epoch's secret, a write-only host has its own. */
export function signerFrom(seed: Uint8Array): Signer {
  const key = createPrivateKey({ key: Buffer.concat([privatePrefix, seed]), format: 'der', type: 'pkcs8' });
  return {
    publicKey: publicKeyOf(key),
    sign: message => new Uint8Array(sign(null, message, key)),
  };
}

/** False also for bytes that are no public key or no signature. */
export function isSignedBy(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== signatureBytes) return false;
  return verify(null, message, keyObjectOf(publicKey), signature);
}

/** Reading a key takes longer than checking a signature with it, and a store has few. */
const keyObjects = new Map<string, KeyObject>();
const keyObjectsMax = 64;

function keyObjectOf(publicKey: Uint8Array): KeyObject {
  const der = Buffer.concat([publicPrefix, publicKey]);
  const name = der.toString('latin1');
  let key = keyObjects.get(name);
  if (key === undefined) {
    key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    if (keyObjects.size >= keyObjectsMax) keyObjects.clear();
    keyObjects.set(name, key);
  }
  return key;
}

function publicKeyOf(privateKey: KeyObject): Uint8Array {
  const der = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return new Uint8Array(der.subarray(publicPrefix.length));
}
