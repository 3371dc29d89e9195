import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto';
import { derive } from '../keys/hierarchy.ts';

/**
 * Key encapsulation 1: who holds only a public key can seal, who holds the purpose's key can open. The header's 32
 * random bytes are the ephemeral public key, so that every sealed object has one form. Node makes X25519 keys from
 * bytes only in their DER envelope.
 */
const privatePrefix = Buffer.from('302e020100300506032b656e04220420', 'hex'); // RFC 8410, PKCS #8
const publicPrefix = Buffer.from('302a300506032b656e032100', 'hex'); // RFC 8410, SubjectPublicKeyInfo

/** The public key that write-only hosts seal to: 32 bytes. */
export function recipientPublicKey(purposeKey: Uint8Array): Uint8Array {
  return publicKeyOf(recipientPrivateKey(purposeKey));
}

/** The sealer's side. `ephemeral` are 32 fresh random bytes, to be forgotten with the secret; its public key goes into the header. */
export function encapsulate(
  recipient: Uint8Array,
  ephemeral: Uint8Array,
): { readonly random: Uint8Array; readonly secret: Uint8Array } {
  const own = privateKeyFrom(ephemeral);
  const random = publicKeyOf(own);
  return { random, secret: sharedSecret(own, recipient, { random, recipient }) };
}

/** The opener's side: the secret that takes the purpose key's place. Throws on a point that gives no secret. */
export function decapsulate(purposeKey: Uint8Array, random: Uint8Array): Uint8Array {
  const own = recipientPrivateKey(purposeKey);
  return sharedSecret(own, random, { random, recipient: publicKeyOf(own) });
}

function sharedSecret(
  own: KeyObject,
  other: Uint8Array,
  bound: { readonly random: Uint8Array; readonly recipient: Uint8Array },
): Uint8Array {
  const publicKey = createPublicKey({
    key: Buffer.concat([publicPrefix, other]),
    format: 'der',
    type: 'spki',
  });
  const shared = diffieHellman({ privateKey: own, publicKey }); // throws where the result would be all zeros
  return derive(shared, 'kem/x25519/secret', { salt: Buffer.concat([bound.random, bound.recipient]) });
}

function recipientPrivateKey(purposeKey: Uint8Array): KeyObject {
  return privateKeyFrom(derive(purposeKey, 'kem/x25519'));
}

function privateKeyFrom(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([privatePrefix, seed]), format: 'der', type: 'pkcs8' });
}

function publicKeyOf(privateKey: KeyObject): Uint8Array {
  const der = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return new Uint8Array(der.subarray(publicPrefix.length));
}
