import { addSlot, type KeySlot, type KeysReport, type NewSlot, reportKeys, slotId } from './keys/index.ts';
import { insideOf, type Store } from './store.ts';

interface CallOptions {
  readonly signal?: AbortSignal;
}

/** Slots, ring, epochs and hosts of a store. Damaged slots do not hide the others. */
export function readKeys(store: Store, { signal }: CallOptions = {}): Promise<KeysReport> {
  const { context, keys } = insideOf(store);
  return reportKeys(context, keys, signal ? { signal } : {});
}

/**
 * Lets another passphrase open the store, and proves that it does by what was read back. STORE_SLOT_REFUSED where there
 * are too many, STORE_LOCKED where the keys were rotated meanwhile.
 */
export async function addKeySlot(store: Store, { signal, ...slot }: NewSlot & CallOptions): Promise<KeySlot> {
  const { context, keys } = insideOf(store);
  const call = signal ? { signal } : {};
  const id = slotId(await addSlot(context, keys, { slot, call }));
  const { slots } = await reportKeys(context, keys, call);
  return slots.find(made => made.id === id)!;
}
