import type { Backend, CallOptions } from '../backend/backend.ts';
import { configBytesMax, configName, decodeConfig, type ReadConfig } from '../config.ts';
import { isStoreError, type StillpointError, type StoreErrorCode, storeError } from '../errors.ts';
import { type Blake3, loadBlake3 } from '../hash.ts';
import type { StoreId } from '../ids.ts';
import { decodeHeader } from '../seal/index.ts';
import { kdfShare } from './kdf.ts';
import { configKey, listKeys, type OpenKeys, openKeys, ringBytesMax, ringName } from './layout.ts';
import { makeRing, openRing, type RingKey } from './ring.ts';
import { decodeSlot, openSlot, type Slot, slotBytesMax } from './slots.ts';

/** All slots together may take this many times the longest that one may. */
const slotSharesMax = 4;

/**
 * Opens a store's keys. STORE_MISSING; STORE_WRONG_PASSPHRASE when whole slots refuse it; STORE_DAMAGED naming the slot
 * when it opens none and one is damaged; STORE_NEWER.
 */
export async function unlockKeys(
  backend: Backend,
  { passphrase, signal }: CallOptions & { readonly passphrase: string },
): Promise<OpenKeys> {
  const call = signal === undefined ? {} : { signal };
  const blake3 = await loadBlake3();
  const { config, verify } = await readConfig(backend, blake3, call);
  const { storeId } = config;
  const { slotNames, ringNumbers } = await listKeys(backend, call);
  const newest = ringNumbers.at(-1);
  if (newest === undefined) throw keysMissing(backend, 'the key ring');
  const name = ringName(newest);
  const ringBytes = await backend.get(name, { ...call, bytesMax: ringBytesMax });
  const header = decodeHeader(ringBytes, blake3, name);
  const ringKey = await findRingKey(backend, {
    slotNames,
    ringKeyNumber: header.epoch,
    passphrase,
    storeId,
    blake3,
    call,
  });
  const ring = makeRing(openRing(ringBytes, { storeId, blake3, ringKey, name }), { storeId, blake3 });
  verify(configKey(ring));
  return openKeys(ring, { config, ringKey });
}

async function readConfig(backend: Backend, blake3: Blake3, call: CallOptions): Promise<ReadConfig> {
  let bytes: Uint8Array;
  try {
    bytes = await backend.get(configName, { ...call, bytesMax: configBytesMax });
  } catch (error) {
    if (!isStoreError(error) || error.code !== 'STORE_OBJECT_MISSING') throw error;
    throw storeError('STORE_MISSING', `Cannot open a store in ${backend.location}: there is none`, {
      remedy:
        'Check the place, and that its disk is mounted; only a first store is made, with `stillpoint init`.',
      cause: error,
    });
  }
  return decodeConfig(bytes, blake3);
}

interface Search {
  readonly slotNames: readonly string[];
  readonly ringKeyNumber: number;
  readonly passphrase: string;
  readonly storeId: StoreId;
  readonly blake3: Blake3;
  readonly call: CallOptions;
}

async function findRingKey(backend: Backend, search: Search): Promise<RingKey> {
  const { passphrase, storeId, slotNames, ringKeyNumber } = search;
  if (slotNames.length === 0) throw keysMissing(backend, 'every key slot');
  const { slots, problems } = await readSlots(backend, search);
  let shares = 0;
  for (const { name, slot } of slots) {
    search.call.signal?.throwIfAborted();
    shares += kdfShare(slot.kdf);
    if (shares > slotSharesMax) break; // hostile: nobody makes slots that take minutes
    try {
      const key = await openSlot(slot, { passphrase, storeId, name });
      if (key !== undefined) return { number: ringKeyNumber, key };
    } catch (error) {
      if (!isStoreError(error) || error.code !== 'STORE_DAMAGED') throw error;
      problems.push(error);
    }
  }
  const problem = problems.find(error => error.code === 'STORE_DAMAGED') ?? problems[0];
  if (problem !== undefined) throw problem;
  throw storeError(
    'STORE_WRONG_PASSPHRASE',
    `Cannot open the store in ${backend.location}: the passphrase is wrong`,
    {
      remedy: 'Give the passphrase of one of its key slots.',
    },
  );
}

/** Slots for this ring key, the cheapest first, and what is wrong with others. */
async function readSlots(
  backend: Backend,
  { slotNames, ringKeyNumber, blake3, call }: Search,
): Promise<{ slots: { name: string; slot: Slot }[]; problems: StillpointError<StoreErrorCode>[] }> {
  const slots: { name: string; slot: Slot }[] = [];
  const problems: StillpointError<StoreErrorCode>[] = [];
  for (const name of slotNames) {
    try {
      const slot = decodeSlot(await backend.get(name, { ...call, bytesMax: slotBytesMax }), { name, blake3 });
      if (slot.ringKeyNumber === ringKeyNumber) slots.push({ name, slot });
    } catch (error) {
      if (!isStoreError(error) || error.code === 'STORE_READ_FAILED') throw error;
      if (error.code !== 'STORE_OBJECT_MISSING') problems.push(error); // missing: removed since the list
    }
  }
  slots.sort((a, b) => kdfShare(a.slot.kdf) - kdfShare(b.slot.kdf));
  return { slots, problems };
}

function keysMissing(backend: Backend, what: string): Error {
  return storeError(
    'STORE_DAMAGED',
    `Cannot open the store in ${backend.location}: ${what} is missing from keys/`,
    {
      remedy: 'Put back the folder `keys` from a copy of the store.',
      context: { object: 'keys/' },
    },
  );
}
