import type { CallOptions } from '../backend/backend.ts';
import type { StoreContext } from '../context.ts';
import { hex } from '../ids.ts';
import type { Kdf } from './kdf.ts';
import { listKeys, type OpenKeys } from './layout.ts';
import { readSlots } from './slot-list.ts';

/** A passphrase slot, as anybody can read it who can read the store; what it wraps is not here. */
export interface KeySlot {
  /** 64 hex digits; the object is `keys/<id>`. */
  readonly id: string;
  /** Readable without the passphrase; empty where none was given. */
  readonly label: string;
  /** How its passphrase becomes a key. */
  readonly kdf: Kdf;
  readonly createdMs: number;
  /** The number of the ring key that it wraps. */
  readonly ringKeyNumber: number;
  /** Whether that is the key of the ring in use: a slot of another opens nothing. */
  readonly isInUse: boolean;
  /** Whether it is being removed, which was begun and not ended. */
  readonly isRemoved: boolean;
  /** Whether this run's passphrase opened it. */
  readonly isOpener: boolean;
}

/** A write-only host that the ring lists. */
export interface KeyHost {
  readonly name: string;
  /** The first 16 bytes of BLAKE3 over its public key, in hex. */
  readonly fingerprint: string;
  readonly fromEpoch: number;
  /** The last epoch that its signature counts in, if it was dismissed. */
  readonly untilEpoch: number | undefined;
  /** Whether its key file is older than the newest epoch, as far as was noted: what it writes is of an epoch before. */
  readonly isToRenew: boolean;
  readonly createdMs: number;
}

/** Who opens a store, and under which keys it is written. */
export interface KeysReport {
  /** Of the ring in use, `keys/ring-<n>`. */
  readonly ringNumber: number;
  readonly ringKeyNumber: number;
  /** In order; what is written now is of the last. */
  readonly epochs: readonly { readonly number: number; readonly createdMs: number }[];
  readonly hosts: readonly KeyHost[];
  /** Those of the ring in use first, each by the time when it was made. */
  readonly slots: readonly KeySlot[];
  /** Slots that are damaged, or that need a newer program. */
  readonly problems: readonly { readonly id: string; readonly code: string; readonly message: string }[];
}

const fingerprintBytes = 16;

/** What the opened keys and the slots of a store say. */
export async function reportKeys(
  { backend, ring }: Pick<StoreContext, 'backend' | 'ring'>,
  keys: OpenKeys,
  call: CallOptions,
): Promise<KeysReport> {
  const { blake3 } = ring;
  const { slotNames } = await listKeys(backend, call);
  const { slots, problems } = await readSlots(backend, { slotNames, blake3, call });
  return {
    ringNumber: keys.ringNumber,
    ringKeyNumber: keys.ringKey.number,
    epochs: keys.body.epochs.map(({ number, createdMs }) => ({ number, createdMs })),
    hosts: keys.body.hosts.map(({ publicKey, untilEpoch, keyEpoch, ...host }) => ({
      ...host,
      untilEpoch,
      isToRenew: untilEpoch === undefined && (keyEpoch ?? host.fromEpoch) < ring.epoch,
      fingerprint: hex(blake3.hash(publicKey).subarray(0, fingerprintBytes)),
    })),
    slots: slots
      .map(({ name, slot: { label, kdf, createdMs, ringKeyNumber } }) => ({
        id: slotId(name),
        label,
        kdf,
        createdMs,
        ringKeyNumber,
        isInUse: ringKeyNumber === keys.ringKey.number,
        isRemoved: keys.body.removed?.includes(slotId(name)) ?? false,
        isOpener: name === keys.slotName,
      }))
      .sort((a, b) => Number(b.isInUse) - Number(a.isInUse) || a.createdMs - b.createdMs),
    problems: problems.map(({ name, error }) => ({
      id: slotId(name),
      code: error.code,
      message: error.message,
    })),
  };
}

export function slotId(name: string): string {
  return name.slice('keys/'.length);
}
