import { hkdfSync } from 'node:crypto';
import type { Purpose } from '../seal/kinds.ts';

/** Every derivation of the format: HKDF-SHA-256 whose info is "stillpoint/v1/" and a label that says what for. */
export function derive(
  secret: Uint8Array,
  label: string,
  { salt = noSalt, length = 32 }: { readonly salt?: Uint8Array; readonly length?: number } = {},
): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, salt, `stillpoint/v1/${label}`, length));
}

const noSalt = new Uint8Array(0);

/** The key of one purpose in one epoch (or, for rings, under one ring key). It can be handed out without the others. */
export function purposeKeyFrom(secret: Uint8Array, purpose: Purpose): Uint8Array {
  return derive(secret, `purpose/${purpose}`);
}

/** 32-byte secrets that never rotate: what they give decides what is found again. */
export interface DomainSecrets {
  /** Names the chunks of contents. */
  readonly idsData: Uint8Array;
  /** Names the chunks of listings. */
  readonly idsMetadata: Uint8Array;
  /** Decides where chunks are cut, and keys the row digests. */
  readonly chunker: Uint8Array;
  /** This store's alone: never taken over from another store. */
  readonly store: Uint8Array;
}

/** What a domain key is for; the part before the first slash chooses the secret. */
export type DomainLabel = 'ids/data' | 'ids/metadata' | `chunker/${string}` | `store/${string}`;

/** A key that lasts as long as the store. */
export function domainKeyFrom(secrets: DomainSecrets, label: DomainLabel, length = 32): Uint8Array {
  return derive(secretOf(secrets, label), `domain/${label}`, { length });
}

function secretOf(secrets: DomainSecrets, label: DomainLabel): Uint8Array {
  if (label === 'ids/data') return secrets.idsData;
  if (label === 'ids/metadata') return secrets.idsMetadata;
  if (label.startsWith('chunker/')) return secrets.chunker;
  if (label.startsWith('store/')) return secrets.store;
  throw new RangeError(`Cannot derive a key: no domain has the label ${label}`);
}
