import { type CborValue, decodeCbor, encodeCbor } from '../cbor.ts';
import { type Fields, fieldsOf } from '../cbor-fields.ts';
import { storeError } from '../errors.ts';
import type { Blake3 } from '../hash.ts';
import { fromHex, hex, type SessionId, type StoreId } from '../ids.ts';
import {
  openObject,
  type Purpose,
  type SealKeys,
  type Signer,
  sealObject,
  signerFrom,
} from '../seal/index.ts';
import type { Randomness } from '../seams.ts';
import { type DomainLabel, type DomainSecrets, derive, domainKeyFrom, purposeKeyFrom } from './hierarchy.ts';

/** What `keys/ring-<n>` holds: every secret of a store. The ring with the highest n is the one in use. */
export interface RingBody {
  readonly domain: DomainSecrets;
  /** In order, numbers ascending; the last is the one that new objects are sealed under. */
  readonly epochs: readonly Epoch[];
  /** Write-only hosts whose signature counts. */
  readonly hosts: readonly HostRecord[];
  /** Ids of slots that are being removed: nobody counts on them, though they may still be there. */
  readonly removed?: readonly string[];
}

export interface Epoch {
  /** From 1. */
  readonly number: number;
  readonly secret: Uint8Array;
  readonly createdMs: number;
}

export interface HostRecord {
  /** As in the manifests that it writes. */
  readonly name: string;
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Its signatures count on objects of epochs from here … */
  readonly fromEpoch: number;
  /** … to here, if it was dismissed. */
  readonly untilEpoch?: number;
  readonly createdMs: number;
  /** The last epoch that the newest of its key files has keys of, where that was noted. */
  readonly keyEpoch?: number;
}

/** The opened keys of a store. */
export interface KeyRing extends SealKeys {
  /** The newest at this time: `renewKeys` may take over a later ring. */
  readonly epoch: number;
  readonly domain: DomainSecrets;
  readonly hosts: readonly HostRecord[];
  /** Set where these are the keys of a write-only host: it signs as itself, and opens nothing but the index and the protocol. */
  readonly self?: {
    readonly name: string;
    readonly signer: Signer;
    /** In use when the key file was made. */
    readonly ringKeyNumber: number | undefined;
  };
  /** STORE_DAMAGED for an epoch that never was. */
  epochSecret(epoch: number): Uint8Array;
  /** A key that never rotates, 32 bytes by default. For cuts: `cutsFrom((label, length) => domainKey('chunker/' + label, length))`. */
  domainKey(label: DomainLabel, length?: number): Uint8Array;
  /** Signs as who holds the passphrase; everyone who does has the same key in an epoch (default: the newest). */
  keyHolder(epoch?: number): Signer;
}

/** A ring that goes on when another comes to be in use. */
export interface LiveRing extends KeyRing {
  /** Takes over epochs and hosts of a later ring; domain secrets never change. */
  adopt(later: RingBody): void;
}

export function makeRing(
  { domain, ...first }: RingBody,
  { storeId, blake3 }: { storeId: StoreId; blake3: Blake3 },
): LiveRing {
  if (first.epochs.length === 0) throw new RangeError('a ring has at least one epoch');
  let { epochs, hosts }: Omit<RingBody, 'domain'> = first;
  let secrets = new Map(epochs.map(epoch => [epoch.number, epoch.secret]));
  const purposeKeys = new Map<string, Uint8Array>();
  const signers = new Map<number, Signer>();
  const epochSecret = (epoch: number): Uint8Array => {
    const secret = secrets.get(epoch);
    if (secret === undefined)
      throw storeError('STORE_DAMAGED', `Cannot find the keys of epoch ${epoch}: the ring has none`);
    return secret;
  };
  return {
    storeId,
    blake3,
    get epoch() {
      return epochs.at(-1)!.number;
    },
    domain,
    get hosts() {
      return hosts;
    },
    adopt(later) {
      ({ epochs, hosts } = later);
      secrets = new Map(epochs.map(epoch => [epoch.number, epoch.secret]));
    },
    epochSecret,
    purposeKey(purpose: Purpose, epoch: number) {
      const secret = secrets.get(epoch);
      if (secret === undefined) return undefined;
      const known = purposeKeys.get(`${epoch} ${purpose}`);
      if (known !== undefined) return known;
      const key = purposeKeyFrom(secret, purpose);
      purposeKeys.set(`${epoch} ${purpose}`, key);
      return key;
    },
    domainKey: (label, length) => domainKeyFrom(domain, label, length),
    keyHolder(epoch = epochs.at(-1)!.number) {
      const known = signers.get(epoch);
      if (known !== undefined) return known;
      const signer = signerFrom(derive(epochSecret(epoch), 'signing/ed25519'));
      signers.set(epoch, signer);
      return signer;
    },
  };
}

/** What passphrases open. */
export interface RingKey {
  /** From 1. */
  readonly number: number;
  readonly key: Uint8Array;
}

/** Where a ring lies, and the key that seals it. */
export interface RingPlace {
  readonly storeId: StoreId;
  readonly blake3: Blake3;
  readonly ringKey: RingKey;
  /** `keys/ring-<n>`. */
  readonly name: string;
}

/** No session writes a ring. */
const noSession = '0'.repeat(64) as SessionId;

export function sealRing(body: RingBody, place: RingPlace, randomness: Randomness): Uint8Array {
  const options = { kind: 'ring', session: noSession, name: place.name, randomness } as const;
  return sealObject(ringSealKeys(place), options, encodeCbor(ringValue(body)));
}

export function openRing(bytes: Uint8Array, place: RingPlace): RingBody {
  const { body } = openObject(ringSealKeys(place), bytes, { kind: 'ring', name: place.name });
  return readRing(fieldsOf(decodeCbor(body, { what: place.name }), place.name), place.name);
}

function ringSealKeys({ storeId, blake3, ringKey }: RingPlace): SealKeys {
  return {
    storeId,
    blake3,
    epoch: ringKey.number,
    purposeKey: (purpose, number) =>
      number === ringKey.number ? purposeKeyFrom(ringKey.key, purpose) : undefined,
  };
}

function ringValue({ domain, epochs, hosts, removed = [] }: RingBody): CborValue {
  return new Map<number, CborValue>([
    [0, []],
    [
      1,
      new Map([
        [1, domain.idsData],
        [2, domain.idsMetadata],
        [3, domain.chunker],
        [4, domain.store],
      ]),
    ],
    [
      2,
      epochs.map(
        epoch =>
          new Map<number, CborValue>([
            [1, epoch.number],
            [2, epoch.secret],
            [3, epoch.createdMs],
          ]),
      ),
    ],
    [3, hosts.map(hostValue)],
    ...(removed.length === 0 ? [] : [[4, removed.map(fromHex)] as const]),
  ]);
}

function hostValue(host: HostRecord): CborValue {
  return new Map<number, CborValue>([
    [1, host.name],
    [2, host.publicKey],
    [3, host.fromEpoch],
    ...(host.untilEpoch === undefined ? [] : [[4, host.untilEpoch] as const]),
    [5, host.createdMs],
    ...(host.keyEpoch === undefined ? [] : [[6, host.keyEpoch] as const]),
  ]);
}

function readRing(fields: Fields, name: string): RingBody {
  const [feature] = fields.list(0);
  if (feature !== undefined) {
    throw storeError(
      'STORE_NEWER',
      `Cannot open ${name}: the store needs the feature ${JSON.stringify(feature)}`,
      {
        remedy: 'Use a newer Stillpoint with this store.',
        context: { object: name },
      },
    );
  }
  const domain = fields.fields(1);
  const epochs = fields.list(2).map((value, index) => {
    const epoch = fieldsOf(value, `${name}, epoch at ${index}`);
    return { number: epoch.integer(1, 1), secret: epoch.bytes(2, 32), createdMs: epoch.integer(3) };
  });
  if (
    epochs.length === 0 ||
    epochs.some((epoch, index) => index > 0 && epoch.number <= epochs[index - 1]!.number)
  ) {
    throw storeError('STORE_DAMAGED', `Cannot read ${name}: its epochs are not in order`);
  }
  return {
    domain: {
      idsData: domain.bytes(1, 32),
      idsMetadata: domain.bytes(2, 32),
      chunker: domain.bytes(3, 32),
      store: domain.bytes(4, 32),
    },
    epochs,
    hosts: fields.list(3).map((value, index) => readHost(fieldsOf(value, `${name}, host at ${index}`))),
    ...(fields.has(4) ? { removed: fields.list(4).map(id => readSlotId(id, name)) } : {}),
  };
}

function readSlotId(id: CborValue, name: string): string {
  if (id instanceof Uint8Array && id.length === 32) return hex(id);
  throw storeError('STORE_DAMAGED', `Cannot read ${name}: a slot that it names has no id`);
}

function readHost(host: Fields): HostRecord {
  return {
    name: host.text(1),
    publicKey: host.bytes(2, 32),
    fromEpoch: host.integer(3, 1),
    ...(host.has(4) ? { untilEpoch: host.integer(4, 1) } : {}),
    createdMs: host.integer(5),
    ...(host.has(6) ? { keyEpoch: host.integer(6, 1) } : {}),
  };
}
