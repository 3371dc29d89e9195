import type { Backend, CallOptions } from '../backend/backend.ts';
import { isStoreError } from '../errors.ts';
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
