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
import { type FoundSlot, readSlots } from './slot-list.ts';

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
  const open = async (number: number) => {
    const name = ringName(number);
    const { ringBytes, header } = await readRing(backend, { name, blake3, call });
    return findRing(backend, {
      slotNames,
      ringKeyNumber: header.epoch,
      open: ringKey => openRing(ringBytes, { storeId, blake3, ringKey, name }),
      passphrase,
      storeId,
      blake3,
      call,
    });
  };
  const found = await open(newest).catch(async error => {
    throw await unlessForeign(error, { ringNumbers, open });
  });
  const ring = makeRing(found.body, { storeId, blake3 });
  verify(configKey(ring));
  return openKeys(ring, { config, passphrase, ringNumber: newest, ...found });
}

/**
 * The error itself, unless the ring before the newest is whole and opens: then that the newest may be nobody's. It is not
 * passed over, since it may as well be a true one that was damaged, under which others write by now.
 */
async function unlessForeign(
  error: unknown,
  {
    ringNumbers,
    open,
  }: { readonly ringNumbers: readonly number[]; readonly open: (number: number) => Promise<unknown> },
): Promise<unknown> {
  const [before, newest] = ringNumbers.slice(-2);
  if (before === undefined || newest === undefined || !isStoreError(error)) return error;
  const isBeyond = newest > before + 1;
  if (error.code !== 'STORE_DAMAGED' && !(error.code === 'STORE_NEWER' && isBeyond)) return error;
  try {
    await open(before);
  } catch {
    return error;
  }
  const object = ringName(newest);
  const moveIt = `move the file ${object} out of the store, keep it, and find out who can write there`;
  return storeError(
    'STORE_DAMAGED',
    `${error.message}; ${ringName(before)}, the one before it, is whole and opens`,
    {
      remedy: isBeyond
        ? `No change of the keys has made it: they are numbered one by one, and ${ringName(before + 1)} is not there. M${moveIt.slice(1)}.`
        : `If the keys were changed lately, put ${object} back from a copy of the store. If nobody changed them, ${moveIt}.`,
      context: { object },
      cause: error,
    },
  );
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

async function readRing(
  backend: Backend,
  { name, blake3, call }: { readonly name: string; readonly blake3: Blake3; readonly call: CallOptions },
) {
  try {
    const ringBytes = await backend.get(name, { ...call, bytesMax: ringBytesMax });
    return { ringBytes, header: decodeHeader(ringBytes, blake3, name) };
  } catch (error) {
    throw isStoreError(error) && error.code === 'STORE_DAMAGED' ? onlyACopyHelps(error, name) : error;
  }
}

/** Nobody opens the store as long as it is so, whoever would look for damage neither. */
function onlyACopyHelps({ message, cause }: Error, object: string): StillpointError<StoreErrorCode> {
  return storeError('STORE_DAMAGED', message, {
    remedy: `Put ${object} back from a copy of the store: without it nothing in the store can be opened, and nothing in it mends that.`,
    context: { object },
    cause,
  });
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
  if (slotNames.length === 1 && read.slots.length === 0 && problem?.code === 'STORE_DAMAGED')
    throw onlyACopyHelps(problem, slotNames[0]!);
  if (problem !== undefined) throw problem;
  throw wrongPassphrase(backend, {
    slots,
    replaced: await replacedSlot(read.slots, search),
    isRotated: ringKeyNumber > 1,
  });
}

/** A slot of a ring key that is not in use, which the passphrase opens. Rotations remove them, but may be kept from it. */
async function replacedSlot(
  slots: readonly FoundSlot[],
  { ringKeyNumber, passphrase, storeId, call }: Search,
): Promise<FoundSlot | undefined> {
  const others = slots.filter(({ slot }) => slot.ringKeyNumber !== ringKeyNumber);
  for await (const found of openSlots(others, { passphrase, storeId, call, onDamaged: () => undefined }))
    return found;
  return undefined;
}

const lastDateMs = 8.64e15;

/** Of a slot that is gone nobody can tell that a passphrase was its: then only that there was a rotation. */
function wrongPassphrase(
  { location }: Backend,
  {
    slots,
    replaced,
    isRotated,
  }: {
    readonly slots: readonly FoundSlot[];
    readonly replaced: FoundSlot | undefined;
    readonly isRotated: boolean;
  },
): Error {
  // A slot's time is a stranger's, and may be none that a date can have.
  const dayOf = (ms: number) => new Date(Math.min(ms, lastDateMs)).toISOString().slice(0, 10);
  const since = dayOf(Math.min(...slots.map(({ slot }) => slot.createdMs)));
  const state =
    replaced === undefined
      ? 'the passphrase is wrong'
      : `the passphrase is that of key slot ${replaced.name.slice('keys/'.length).slice(0, 8)}, made on ${dayOf(replaced.slot.createdMs)}, which a rotation of the keys has replaced`;
  return storeError('STORE_WRONG_PASSPHRASE', `Cannot open the store in ${location}: ${state}`, {
    remedy: isRotated
      ? `Give the passphrase of one of its key slots. The keys were rotated: those that count were made on ${since} or later, and a passphrase from before may open none of them.`
      : 'Give the passphrase of one of its key slots.',
    context: replaced ? { slot: replaced.name } : {},
  });
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
