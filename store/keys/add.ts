import type { CallOptions } from '../backend/backend.ts';
import type { StoreContext } from '../context.ts';
import { storeError } from '../errors.ts';
import { hex } from '../ids.ts';
import { putOwn } from '../put-own.ts';
import { decodeHeader } from '../seal/index.ts';
import { defaultKdf, type Kdf } from './kdf.ts';
import { listKeys, type OpenKeys, ringBytesMax, ringName, slotsMax } from './layout.ts';
import { openRing, type RingKey } from './ring.ts';
import { decodeSlot, openSlot, sealSlot, slotBytesMax } from './slots.ts';

export interface NewSlot {
  readonly passphrase: string;
  /** For people; readable without the passphrase. At most 63 bytes of UTF-8. */
  readonly label: string;
  readonly kdf?: Kdf | undefined;
}

type KeyContext = Pick<StoreContext, 'backend' | 'ring' | 'seams'>;

/** Wraps the ring key in use for another passphrase. The name of the slot, which opens the ring by what was read back. */
export async function addSlot(
  context: KeyContext,
  { ringKey }: OpenKeys,
  { slot, call }: { readonly slot: NewSlot; readonly call: CallOptions },
): Promise<string> {
  const { backend, ring } = context;
  refuseTooMany((await listKeys(backend, call)).slotNames.length + 1);
  const name = await putSlot(context, { ringKey, slot, call });
  try {
    await checkSlot(context, { name, ringKey, passphrase: slot.passphrase, call });
    const { slotNames, ringNumbers } = await listKeys(backend, call);
    refuseTooMany(slotNames.length);
    const newest = ringName(ringNumbers.at(-1) ?? 0);
    const bytes = await backend.get(newest, { ...call, bytesMax: ringBytesMax });
    if (decodeHeader(bytes, ring.blake3, newest).epoch !== ringKey.number) throw rotatedMeanwhile();
    openRing(bytes, { storeId: ring.storeId, blake3: ring.blake3, ringKey, name: newest });
  } catch (error) {
    // What cannot be removed now wraps what others know already; `keys list` shows it.
    await backend.delete(name).catch(() => undefined);
    throw error;
  }
  return name;
}

/** Seals and creates a slot of its own random name. */
export async function putSlot(
  { backend, ring, seams }: KeyContext,
  { ringKey, slot, call }: { ringKey: RingKey; slot: NewSlot; call: CallOptions },
): Promise<string> {
  const { randomness, clock } = seams;
  const name = `keys/${hex(randomness.bytes(32))}`;
  const bytes = await sealSlot(ringKey, {
    storeId: ring.storeId,
    blake3: ring.blake3,
    name,
    passphrase: slot.passphrase,
    label: slot.label,
    kdf: slot.kdf ?? defaultKdf,
    createdMs: clock.nowMs(),
    randomness,
  });
  await putOwn(backend, { name, parts: [bytes] }, call);
  return name;
}

/** Opens a slot as it lies in the store. STORE_DAMAGED where it does not give the ring key that it should. */
export async function checkSlot(
  { backend, ring: { storeId, blake3 } }: KeyContext,
  parts: { name: string; ringKey: RingKey; passphrase: string; call: CallOptions },
): Promise<void> {
  const { name, ringKey, passphrase, call } = parts;
  const bytes = await backend.get(name, { ...call, bytesMax: slotBytesMax });
  const slot = decodeSlot(bytes, { name, blake3 });
  const key = await openSlot(slot, { passphrase, storeId, name });
  if (key !== undefined && slot.ringKeyNumber === ringKey.number && Buffer.compare(key, ringKey.key) === 0)
    return;
  throw storeError(
    'STORE_DAMAGED',
    `Cannot use key slot ${name}: what was read back does not open the ring`,
    {
      remedy: 'Look at the medium: it gave back other bytes than it was given.',
      context: { object: name },
    },
  );
}

export function refuseTooMany(slots: number): void {
  if (slots <= slotsMax) return;
  throw storeError('STORE_SLOT_REFUSED', `Cannot add a key slot: a store has at most ${slotsMax}`, {
    remedy: 'Remove one first: see `stillpoint keys list`.',
  });
}

function rotatedMeanwhile(): Error {
  return storeError('STORE_LOCKED', 'Cannot add a key slot: the ring key was changed meanwhile', {
    remedy: 'Run the command again, with the passphrase that opens the store now.',
  });
}
