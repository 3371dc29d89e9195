import type { CallOptions } from '../backend/backend.ts';
import { isStoreError, type StillpointError, type StoreErrorCode } from '../errors.ts';
import type { StoreId } from '../ids.ts';
import { type Kdf, kdfShare } from './kdf.ts';
import type { FoundSlot } from './slot-list.ts';
import { openSlot } from './slots.ts';

/** All slots together may take this many times the longest that one may. */
const slotSharesMax = 4;

/**
 * Slots that a passphrase opens, the cheapest first. Slots are a stranger's until they are open: what together takes too
 * long is not tried. Problems of others are handed on, and do not end the search.
 */
export async function* openSlots(
  slots: readonly FoundSlot[],
  options: {
    readonly passphrase: string;
    readonly storeId: StoreId;
    readonly call: CallOptions;
    readonly onDamaged: (error: StillpointError<StoreErrorCode>) => void;
  },
): AsyncGenerator<FoundSlot & { readonly key: Uint8Array }> {
  const { passphrase, storeId, call, onDamaged } = options;
  for (const found of affordable(slots)) {
    call.signal?.throwIfAborted();
    try {
      const key = await openSlot(found.slot, { passphrase, storeId, name: found.name });
      if (key !== undefined) yield { ...found, key };
    } catch (error) {
      if (!isStoreError(error) || error.code !== 'STORE_DAMAGED') throw error;
      onDamaged(error);
    }
  }
}

/** The cheapest first, and as many as may be tried: nobody makes slots that take minutes. */
export function affordable<T extends { readonly slot: { readonly kdf: Kdf } }>(slots: readonly T[]): T[] {
  let shares = 0;
  return [...slots]
    .sort((a, b) => kdfShare(a.slot.kdf) - kdfShare(b.slot.kdf))
    .filter(({ slot }) => {
      shares += kdfShare(slot.kdf);
      return shares <= slotSharesMax;
    });
}
