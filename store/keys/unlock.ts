import type { Backend, CallOptions } from '../backend/backend.ts';
import { configBytesMax, configName, decodeConfig, type ReadConfig } from '../config.ts';
import { isStoreError, type StillpointError, type StoreErrorCode, storeError } from '../errors.ts';
import { type Blake3, loadBlake3 } from '../hash.ts';
import type { StoreId } from '../ids.ts';
import { decodeHeader } from '../seal/index.ts';
import { openSlots } from './find-slots.ts';
import { configKey, listKeys, type OpenKeys, openKeys, ringBytesMax, ringName } from './layout.ts';
import { noConfig } from './no-config.ts';
import { makeRing, openRing, type RingBody, type RingKey } from './ring.ts';
import { readSlots } from './slot-list.ts';

/**
 * Opens a store's keys. STORE_MISSING; STORE_DAMAGED where config alone is gone; STORE_WRONG_PASSPHRASE when whole slots refuse it; STORE_DAMAGED naming the slot
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
  const found = await findRing(backend, {
    slotNames,
    ringKeyNumber: header.epoch,
    open: ringKey => openRing(ringBytes, { storeId, blake3, ringKey, name }),
    passphrase,
    storeId,
    blake3,
    call,
  });
  const ring = makeRing(found.body, { storeId, blake3 });
  verify(configKey(ring));
  return openKeys(ring, { config, passphrase, ringNumber: newest, ...found });
}

async function readConfig(backend: Backend, blake3: Blake3, call: CallOptions): Promise<ReadConfig> {
  let bytes: Uint8Array;
  try {
    bytes = await backend.get(configName, { ...call, bytesMax: configBytesMax });
  } catch (error) {
    if (!isStoreError(error) || error.code !== 'STORE_OBJECT_MISSING') throw error;
    throw await noConfig(backend, call, error);
  }
  return decodeConfig(bytes, blake3);
}

interface Search {
  readonly slotNames: readonly string[];
  readonly ringKeyNumber: number;
  /** STORE_DAMAGED, STORE_NEWER. */
  readonly open: (ringKey: RingKey) => RingBody;
  readonly passphrase: string;
  readonly storeId: StoreId;
  readonly blake3: Blake3;
  readonly call: CallOptions;
}

async function findRing(
  backend: Backend,
  search: Search,
): Promise<Pick<OpenKeys, 'ringKey' | 'body' | 'slotName'>> {
  const { passphrase, storeId, slotNames, ringKeyNumber } = search;
  if (slotNames.length === 0) throw keysMissing(backend, 'every key slot');
  const read = await readSlots(backend, search);
  const problems = read.problems.map(({ error }) => error);
  const slots = read.slots.filter(({ slot }) => slot.ringKeyNumber === ringKeyNumber);
  // Slots of other ring keys only: what they belong to is lost, and no passphrase is to blame.
  if (slots.length === 0 && problems.length === 0)
    throw keysMissing(backend, `every slot of ring key ${ringKeyNumber}, or a later key ring,`);
  const onDamaged = (error: StillpointError<StoreErrorCode>) => void problems.push(error);
  for await (const { name, key } of openSlots(slots, { passphrase, storeId, call: search.call, onDamaged })) {
    const ringKey = { number: ringKeyNumber, key };
    try {
      return { ringKey, body: search.open(ringKey), slotName: name };
    } catch (error) {
      if (!isStoreError(error) || error.code !== 'STORE_DAMAGED') throw error;
      problems.push(notOpened(name, error, { isOnly: slots.length === 1 }));
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

/** The ring is damaged; or a rotation that lost to another, and died before it removed its slots, left a key of its number. */
function notOpened(
  slot: string,
  cause: StillpointError<StoreErrorCode>,
  { isOnly }: { readonly isOnly: boolean },
): StillpointError<StoreErrorCode> {
  const object = cause.context['object'];
  const copy = `Put ${object} back from a copy of the store: nothing else in the store is damaged by that, and no slot needs to go.`;
  const other = `If another passphrase opens the store, a rotation that came too late may have left ${slot}: remove that slot then.`;
  return storeError('STORE_DAMAGED', `Cannot open ${object}: the key of ${slot} does not open it`, {
    remedy: isOnly ? copy : `${copy} ${other}`,
    context: { object, slot },
    cause,
  });
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
