import { type CborValue, decodeCbor, encodeCbor } from '../cbor.ts';
import { type Fields, fieldsOf } from '../cbor-fields.ts';
import { isStoreError, storeError } from '../errors.ts';
import type { Blake3 } from '../hash.ts';
import { fromHex, hex, type StoreId } from '../ids.ts';
import { recipientPublicKey } from '../seal/index.ts';
import { type DomainSecrets, purposeKeyFrom } from './hierarchy.ts';
import type { KeyRing } from './ring.ts';

/**
 * What a write-only host has in place of a passphrase: it finds and cuts content as everyone, reads the index and the
 * protocol, and seals contents and listings that it cannot open again. A file of its own disk, never in a store.
 */
export interface HostKey {
  readonly storeId: StoreId;
  /** As in the ring's host record and in the manifests that it writes. */
  readonly name: string;
  /** Seed of the Ed25519 key whose public half the ring lists. */
  readonly signingSeed: Uint8Array;
  readonly domain: Omit<DomainSecrets, 'store'>;
  /** In order; the last is the one to seal under. */
  readonly epochs: readonly HostEpoch[];
  /** BLAKE3-256 of the file `config`, whose MAC this host has no key for. */
  readonly configHash: Uint8Array;
  readonly createdMs: number;
  /** Number of the ring key in use when this was made: a later one in the store tells that the keys were rotated since. */
  readonly ringKeyNumber?: number;
}

export interface HostEpoch {
  readonly number: number;
  /** The key of the purpose `index`. */
  readonly indexKey: Uint8Array;
  /** X25519 public keys of the purposes `data` and `metadata`. */
  readonly dataRecipient: Uint8Array;
  readonly metadataRecipient: Uint8Array;
  /** Ed25519 public key of who holds the passphrase: 32 bytes. Without it the host can believe no record of a prune. */
  readonly keyHolder?: Uint8Array;
}

const magic = Uint8Array.of(0x89, 0x53, 0x74, 0x68);
const hostKeyVersion = 1;
const headBytes = 8;
const checkBytes = 16;

/** What a host needs of an epoch. */
export function hostEpochFrom(ring: KeyRing, epoch: number): HostEpoch {
  const secret = ring.epochSecret(epoch);
  return {
    number: epoch,
    indexKey: purposeKeyFrom(secret, 'index'),
    dataRecipient: recipientPublicKey(purposeKeyFrom(secret, 'data')),
    metadataRecipient: recipientPublicKey(purposeKeyFrom(secret, 'metadata')),
    keyHolder: ring.keyHolder(epoch).publicKey,
  };
}

/** magic 4 ‖ version ‖ 0 × 3 ‖ CBOR ‖ check 16. */
export function encodeHostKey(key: HostKey, blake3: Blake3): Uint8Array {
  const head = Buffer.from([...magic, hostKeyVersion, 0, 0, 0]);
  const body = Buffer.concat([head, encodeCbor(hostKeyValue(key))]);
  return new Uint8Array(Buffer.concat([body, blake3.hash(body).subarray(0, checkBytes)]));
}

/** What is no key file, or not as it was written: STORE_WRONG_KEY. Whole, but of another version: STORE_NEWER. `file` is for the message. */
export function decodeHostKey(
  bytes: Uint8Array,
  blake3: Blake3,
  { file }: { readonly file?: string | undefined } = {},
): HostKey {
  const what = file === undefined ? 'the host key' : `the host key ${file}`;
  const body = bytes.subarray(0, -checkBytes);
  const check = blake3.hash(body).subarray(0, checkBytes);
  if (bytes.length < headBytes + checkBytes || Buffer.compare(check, bytes.subarray(-checkBytes)) !== 0) {
    throw notOne(
      what,
      bytes.length === 0 ? 'the file is empty' : 'it is cut short, was changed, or is another file',
    );
  }
  if (Buffer.compare(magic, body.subarray(0, 4)) !== 0) {
    throw notOne(what, 'the file is none');
  }
  if (body[4] !== hostKeyVersion || body[5] !== 0 || body[6] !== 0 || body[7] !== 0) {
    throw storeError(
      'STORE_NEWER',
      `Cannot read ${what}: its version is ${body[4]}, and this program knows 1`,
      {
        remedy: 'Use a newer Stillpoint on this host.',
      },
    );
  }
  try {
    return readHostKey(fieldsOf(decodeCbor(body.subarray(headBytes), { what }), what));
  } catch (error) {
    if (!isStoreError(error) || error.code !== 'STORE_DAMAGED') throw error;
    throw notOne(what, error.message);
  }
}

/** A file of the host's own: nothing of the store is damaged. */
function notOne(what: string, state: string): Error {
  return storeError('STORE_WRONG_KEY', `Cannot read ${what}: ${state}`, {
    remedy:
      'Bring a new one from where the passphrase is: `stillpoint keys add --write-only --renew FILE -o NEW` makes it from a whole copy of this one; without a copy, `stillpoint keys remove --host NAME` and add the host again.',
  });
}

function hostKeyValue(key: HostKey): CborValue {
  return new Map<number, CborValue>([
    [1, fromHex(key.storeId)],
    [2, key.name],
    [3, key.signingSeed],
    [
      4,
      new Map([
        [1, key.domain.idsData],
        [2, key.domain.idsMetadata],
        [3, key.domain.chunker],
      ]),
    ],
    [
      5,
      key.epochs.map(
        epoch =>
          new Map<number, CborValue>([
            [1, epoch.number],
            [2, epoch.indexKey],
            [3, epoch.dataRecipient],
            [4, epoch.metadataRecipient],
            ...(epoch.keyHolder === undefined ? [] : [[5, epoch.keyHolder] as const]),
          ]),
      ),
    ],
    [6, key.configHash],
    [7, key.createdMs],
    ...(key.ringKeyNumber === undefined ? [] : [[8, key.ringKeyNumber] as const]),
  ]);
}

function readHostKey(fields: Fields): HostKey {
  const domain = fields.fields(4);
  return {
    storeId: hex(fields.bytes(1, 32)) as StoreId,
    name: fields.text(2),
    signingSeed: fields.bytes(3, 32),
    domain: { idsData: domain.bytes(1, 32), idsMetadata: domain.bytes(2, 32), chunker: domain.bytes(3, 32) },
    epochs: fields.list(5).map((value, index) => {
      const epoch = fieldsOf(value, `the host key, epoch at ${index}`);
      return {
        number: epoch.integer(1, 1),
        indexKey: epoch.bytes(2, 32),
        dataRecipient: epoch.bytes(3, 32),
        metadataRecipient: epoch.bytes(4, 32),
        ...(epoch.has(5) ? { keyHolder: epoch.bytes(5, 32) } : {}),
      };
    }),
    configHash: fields.bytes(6, 32),
    createdMs: fields.integer(7),
    ...(fields.has(8) ? { ringKeyNumber: fields.integer(8, 1) } : {}),
  };
}
