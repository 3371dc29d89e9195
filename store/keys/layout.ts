import type { Backend, CallOptions } from '../backend/backend.ts';
import type { StoreConfig } from '../config.ts';
import { storeError } from '../errors.ts';
import { decodeHeader } from '../seal/index.ts';
import { type KeyRing, type LiveRing, openRing, type RingBody, type RingKey } from './ring.ts';

/** A store's keys, open, and its config, whose MAC was checked. */
export interface OpenKeys {
  readonly ring: KeyRing;
  readonly config: StoreConfig;
  /** What the slots wrap and the rings are sealed under; for new slots and rings. */
  readonly ringKey: RingKey;
  /** The ring that was opened, `keys/ring-<n>`. */
  readonly ringNumber: number;
  /** What is in it. */
  readonly body: RingBody;
  /** `keys/<id>`: the slot that the passphrase opened. */
  readonly slotName: string;
  /** For looking whether it opens something else, too. */
  readonly passphrase: string;
  /** A later ring takes the place of this one, for whoever works with these keys. Not for keys that cannot change. */
  adopt?(later: OpenKeys): void;
  /** Opens a ring again as it lies in the store: STORE_DAMAGED. One under another ring key is checked by its header. */
  checkRing(bytes: Uint8Array, name: string): void;
}

/** A ring with so many hosts is not one. */
export const ringBytesMax = 16 * 2 ** 20;
/** More are not looked at: STORE_DAMAGED. */
export const slotsMax = 64;

export function ringName(number: number): string {
  return `keys/ring-${number}`;
}

/** The key of config's MAC. */
export function configKey(ring: KeyRing): Uint8Array {
  return ring.domainKey('store/config');
}

export function openKeys(ring: LiveRing, parts: Omit<OpenKeys, 'ring' | 'checkRing' | 'adopt'>): OpenKeys {
  const { storeId, blake3 } = ring;
  let { ringKey, ringNumber, body, slotName, passphrase } = parts;
  return {
    ring,
    config: parts.config,
    get passphrase() {
      return passphrase;
    },
    get ringKey() {
      return ringKey;
    },
    get ringNumber() {
      return ringNumber;
    },
    get body() {
      return body;
    },
    get slotName() {
      return slotName;
    },
    adopt(later) {
      ({ ringKey, ringNumber, body, slotName, passphrase } = later);
      ring.adopt(body);
    },
    checkRing(bytes, name) {
      const { kind, epoch } = decodeHeader(bytes, blake3, name);
      // The key of an older ring is gone with its slots; such a ring is no longer in use.
      if (kind !== 'ring' || epoch === ringKey.number) openRing(bytes, { storeId, blake3, ringKey, name });
    },
  };
}

/** Slots in order of name, ring numbers ascending; other names are left alone. */
export async function listKeys(
  backend: Backend,
  call: CallOptions,
): Promise<{ readonly slotNames: readonly string[]; readonly ringNumbers: readonly number[] }> {
  const slotNames: string[] = [];
  const ringNumbers: number[] = [];
  for await (const { name } of backend.list('keys/', call)) {
    const ring = /^keys\/ring-([1-9][0-9]{0,8})$/.exec(name);
    if (ring !== null) ringNumbers.push(Number(ring[1]));
    else if (/^keys\/[0-9a-f]{64}$/.test(name)) slotNames.push(name);
  }
  if (slotNames.length > slotsMax) {
    throw storeError(
      'STORE_DAMAGED',
      `Cannot open the store's keys: ${slotNames.length} slots, allowed are ${slotsMax}`,
      {
        remedy: 'Find out who put them there, and remove what `stillpoint init` and `keys add` did not make.',
        context: { object: 'keys/' },
      },
    );
  }
  return { slotNames, ringNumbers: ringNumbers.sort((a, b) => a - b) };
}
