import type { Backend, CallOptions } from '../backend/backend.ts';
import { isStoreError, type StillpointError, type StoreErrorCode } from '../errors.ts';
import type { Blake3 } from '../hash.ts';
import { decodeSlot, type Slot, slotBytesMax } from './slots.ts';

export interface FoundSlot {
  /** `keys/<id>`. */
  readonly name: string;
  readonly slot: Slot;
}

/** A slot that nobody can open with this program. */
export interface SlotProblem {
  readonly name: string;
  readonly error: StillpointError<StoreErrorCode>;
}

/** Every slot of those names, and what is wrong with others. One that was removed since the list is neither. */
export async function readSlots(
  backend: Backend,
  { slotNames, blake3, call }: { slotNames: readonly string[]; blake3: Blake3; call: CallOptions },
): Promise<{ readonly slots: readonly FoundSlot[]; readonly problems: readonly SlotProblem[] }> {
  const slots: FoundSlot[] = [];
  const problems: SlotProblem[] = [];
  for (const name of slotNames) {
    try {
      const bytes = await backend.get(name, { ...call, bytesMax: slotBytesMax });
      slots.push({ name, slot: decodeSlot(bytes, { name, blake3 }) });
    } catch (error) {
      if (!isStoreError(error)) throw error;
      if (error.code === 'STORE_DAMAGED' || error.code === 'STORE_NEWER') problems.push({ name, error });
      else if (error.code !== 'STORE_OBJECT_MISSING') throw error;
    }
  }
  return { slots, problems };
}
