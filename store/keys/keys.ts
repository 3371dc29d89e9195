import type { Backend } from '../backend/backend.ts';
import {
  configBytesMax,
  configName,
  decodeConfig,
  encodeConfig,
  newConfig,
  type ReadConfig,
  type StoreConfig,
} from '../config.ts';
import { isStoreError, storeError } from '../errors.ts';
import { type Blake3, loadBlake3 } from '../hash.ts';
import { hex, type StoreId } from '../ids.ts';
import { decodeHeader } from '../seal/index.ts';
import type { Seams } from '../seams.ts';
import { defaultKdf, type Kdf, kdfShare } from './kdf.ts';
import { type KeyRing, makeRing, openRing, type RingBody, type RingPlace, sealRing } from './ring.ts';
import { decodeSlot, openSlot, type Slot, sealSlot, slotBytes } from './slots.ts';

/** A store's keys, open, and its config, whose MAC was checked. */
export interface OpenKeys {
  readonly ring: KeyRing;
  readonly config: StoreConfig;
  /** Opens a ring again as it lies in the store: STORE_DAMAGED. One under another ring key is checked by its header. */
  checkRing(bytes: Uint8Array, name: string): void;
}

/** A ring with a million hosts is not one. */
const ringBytesMax = 16 * 2 ** 20;
const slotsMax = 64;
/** All slots together may take this many times the longest that one may. */
const slotSharesMax = 4;

/**
 * Makes a store: ring, first slot, and last `config`, which is what makes it one. STORE_EXISTS, STORE_NOT_EMPTY.
 * With `like`, content is cut and named as in that store, so that both can heal each other; epochs are new all the same.
 */
export async function createKeys(
  backend: Backend,
  {
    passphrase,
    seams,
    kdf = defaultKdf,
    like,
    label,
    signal,
  }: {
    readonly passphrase: string;
    readonly seams: Seams;
    readonly kdf?: Kdf;
    readonly like?: OpenKeys;
    readonly label?: string;
    readonly signal?: AbortSignal;
  },
): Promise<OpenKeys> {
  const call = signal === undefined ? {} : { signal };
  await refuseUnlessEmpty(backend, call);
  const blake3 = await loadBlake3();
  const { randomness, clock } = seams;
  const storeId = hex(randomness.bytes(32)) as StoreId;
  const createdMs = clock.nowMs();
  const body: RingBody = {
    domain: {
      idsData: like?.ring.domain.idsData ?? randomness.bytes(32),
      idsMetadata: like?.ring.domain.idsMetadata ?? randomness.bytes(32),
      chunker: like?.ring.domain.chunker ?? randomness.bytes(32),
      store: randomness.bytes(32),
    },
    epochs: [{ number: 1, secret: randomness.bytes(32), createdMs }],
    hosts: [],
  };
  const ring = makeRing(body, { storeId, blake3 });
  const config = newConfig(storeId, like?.config.sizes);
  const ringKey = randomness.bytes(32);
  const place: RingPlace = { storeId, blake3, ringKey, ringKeyNumber: 1, name: ringName(1) };
  const name = `keys/${hex(randomness.bytes(32))}`;
  const slot = await sealSlot(ringKey, {
    storeId,
    name,
    passphrase,
    kdf,
    ringKeyNumber: 1,
    createdMs,
    randomness,
    blake3,
    ...(label === undefined ? {} : { label }),
  });
  // The ring first: of two inits at once the second stops here and has left nothing.
  await create(backend, place.name, sealRing(body, place, randomness), call);
  await create(backend, name, slot, call);
  await create(backend, configName, encodeConfig(config, { macKey: configKey(ring), blake3 }), call);
  return { ring, config, checkRing: ringChecker(place) };
}

function ringChecker(place: Omit<RingPlace, 'name'>): OpenKeys['checkRing'] {
  return (bytes, name) => {
    const { kind, epoch } = decodeHeader(bytes, place.blake3, name);
    if (epoch === place.ringKeyNumber || kind !== 'ring') openRing(bytes, { ...place, name });
  };
}

/**
 * Opens a store's keys. STORE_MISSING; STORE_WRONG_PASSPHRASE when whole slots refuse it; STORE_DAMAGED naming the slot
 * when it opens none and one is damaged; STORE_NEWER.
 */
export async function unlockKeys(
  backend: Backend,
  { passphrase, signal }: { readonly passphrase: string; readonly signal?: AbortSignal },
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
  const ringKeyNumber = decodeHeader(ringBytes, blake3, name).epoch;
  const ringKey = await findRingKey(backend, { slotNames, ringKeyNumber, passphrase, storeId, blake3, call });
  const place = { storeId, blake3, ringKey, ringKeyNumber };
  const body = openRing(ringBytes, { ...place, name });
  const ring = makeRing(body, { storeId, blake3 });
  verify(configKey(ring));
  return { ring, config, checkRing: ringChecker(place) };
}

interface Call {
  readonly signal?: AbortSignal;
}

function ringName(number: number): string {
  return `keys/ring-${number}`;
}

function configKey(ring: KeyRing): Uint8Array {
  return ring.domainKey('store/config');
}

async function create(backend: Backend, name: string, bytes: Uint8Array, call: Call): Promise<void> {
  if ((await backend.put(name, bytes, call)) === 'created') return;
  throw storeError('STORE_EXISTS', `Cannot make a store in ${backend.location}: ${name} appeared meanwhile`, {
    remedy: 'Another `stillpoint init` seems to be at work there: use the store that it makes.',
  });
}

async function refuseUnlessEmpty(backend: Backend, call: Call): Promise<void> {
  let first: string | undefined;
  for await (const { name } of backend.list('', call)) {
    if (name === configName) {
      throw storeError('STORE_EXISTS', `Cannot make a store in ${backend.location}: there is one already`);
    }
    first ??= name;
  }
  if (first === undefined) return;
  throw storeError('STORE_NOT_EMPTY', `Cannot make a store in ${backend.location}: it holds ${first}`, {
    remedy:
      'Choose an empty place; what an interrupted `stillpoint init` left has `keys` and no `config`, and may be removed.',
  });
}

async function readConfig(backend: Backend, blake3: Blake3, call: Call): Promise<ReadConfig> {
  let bytes: Uint8Array;
  try {
    bytes = await backend.get(configName, { ...call, bytesMax: configBytesMax });
  } catch (error) {
    if (!isStoreError(error) || error.code !== 'STORE_OBJECT_MISSING') throw error;
    throw storeError('STORE_MISSING', `Cannot open a store in ${backend.location}: there is none`, {
      remedy: 'Check the place, or make a store with `stillpoint init`.',
      cause: error,
    });
  }
  return decodeConfig(bytes, blake3);
}

/** Slots in order of name, ring numbers ascending; other names are left alone. */
async function listKeys(
  backend: Backend,
  call: Call,
): Promise<{ slotNames: string[]; ringNumbers: number[] }> {
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
    );
  }
  return { slotNames, ringNumbers: ringNumbers.sort((a, b) => a - b) };
}

interface Search {
  readonly slotNames: readonly string[];
  readonly ringKeyNumber: number;
  readonly passphrase: string;
  readonly storeId: StoreId;
  readonly blake3: Blake3;
  readonly call: Call;
}

async function findRingKey(backend: Backend, search: Search): Promise<Uint8Array> {
  if (search.slotNames.length === 0) throw keysMissing(backend, 'every key slot');
  const { slots, problems } = await readSlots(backend, search);
  const { passphrase, storeId } = search;
  let shares = 0;
  for (const { name, slot } of slots) {
    search.call.signal?.throwIfAborted();
    shares += kdfShare(slot.kdf);
    if (shares > slotSharesMax) break; // hostile: nobody makes slots that take minutes
    try {
      const key = await openSlot(slot, { passphrase, storeId, name });
      if (key !== undefined) return key;
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
): Promise<{ slots: { name: string; slot: Slot }[]; problems: (Error & { code: string })[] }> {
  const slots: { name: string; slot: Slot }[] = [];
  const problems: (Error & { code: string })[] = [];
  for (const name of slotNames) {
    try {
      const slot = decodeSlot(await backend.get(name, { ...call, bytesMax: slotBytes * 16 }), {
        name,
        blake3,
      });
      if (slot.ringKeyNumber === ringKeyNumber) slots.push({ name, slot });
    } catch (error) {
      if (!isStoreError(error)) throw error;
      problems.push(error);
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
