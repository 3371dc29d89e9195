import type { Backend, CallOptions } from '../backend/backend.ts';
import { isStoreError, storeError } from '../errors.ts';
import { decodeHeader } from '../seal/index.ts';
import { listKeys, type OpenKeys, openKeys, ringBytesMax, ringName } from './layout.ts';
import { makeRing, openRing } from './ring.ts';
import { unlockKeys } from './unlock.ts';

/**
 * Takes over a ring that was made since these keys were opened, so that what works for long can read what others write
 * meanwhile, and writes under the newest epoch. Where the passphrase opens it no more nothing changes: who was let in goes on
 * under the epochs known, and whatever is of a later one is STORE_NEWER.
 */
export async function renewKeys(backend: Backend, keys: OpenKeys, call: CallOptions = {}): Promise<void> {
  if (keys.adopt === undefined) return;
  const { ringNumbers } = await listKeys(backend, call);
  const newest = ringNumbers.at(-1) ?? 0;
  if (newest <= keys.ringNumber) return;
  const later = await openLater(backend, keys, { number: newest, call });
  if (later !== undefined) keys.adopt(later);
}

async function openLater(
  backend: Backend,
  keys: OpenKeys,
  { number, call }: { readonly number: number; readonly call: CallOptions },
): Promise<OpenKeys | undefined> {
  const { storeId, blake3 } = keys.ring;
  const { ringKey, slotName, config, passphrase } = keys;
  const name = ringName(number);
  const bytes = await backend.get(name, { ...call, bytesMax: ringBytesMax });
  if (decodeHeader(bytes, blake3, name).epoch === ringKey.number) {
    const body = openRing(bytes, { storeId, blake3, ringKey, name });
    const ring = makeRing(body, { storeId, blake3 });
    return openKeys(ring, { config, passphrase, ringKey, ringNumber: number, body, slotName });
  }
  try {
    return await unlockKeys(backend, { passphrase, ...call });
  } catch (error) {
    if (isStoreError(error) && error.code === 'STORE_WRONG_PASSPHRASE') return undefined;
    throw error;
  }
}

/**
 * Does what reads a store, and where it meets a later epoch than the keys at hand have, looks at keys/ again: once more under
 * the later ring that is there by now. STORE_KEYS_BACK where there is none, since no ring ever goes away.
 */
export async function underLaterKeys<T>(
  { backend, keys }: { readonly backend: Backend; readonly keys: OpenKeys },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const epoch = epochBeyond(error);
    if (epoch === undefined || keys.adopt === undefined) throw error;
    await renewKeys(backend, keys);
    if (keys.ring.epoch < epoch) throw await unlessBack({ backend, keys }, error);
    return await work().catch(async again => {
      throw await unlessBack({ backend, keys }, again);
    });
  }
}

/** The error itself, or what it comes to where no later ring is there. */
async function unlessBack(
  { backend, keys }: { readonly backend: Backend; readonly keys: OpenKeys },
  error: unknown,
): Promise<unknown> {
  const epoch = epochBeyond(error);
  if (epoch === undefined || keys.ring.epoch >= epoch) return error;
  const newest = (await listKeys(backend, {})).ringNumbers.at(-1) ?? 0;
  if (newest > keys.ringNumber) return error; // a later one that the passphrase does not open
  const { object } = (error as { context: Record<string, unknown> }).context;
  return storeError(
    'STORE_KEYS_BACK',
    `Cannot open ${object}: it is of epoch ${epoch}, and ${ringName(newest)}, the newest there is, ends at epoch ${keys.ring.epoch}: the folder keys/ went back`,
    {
      remedy: 'Put back the newer folder `keys` from a copy of the store.',
      context: { object: 'keys/' },
      cause: error,
    },
  );
}

function epochBeyond(error: unknown): number | undefined {
  if (!isStoreError(error) || error.code !== 'STORE_NEWER') return undefined;
  const { epoch } = error.context;
  return typeof epoch === 'number' ? epoch : undefined;
}
