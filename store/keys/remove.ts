import type { CallOptions } from '../backend/backend.ts';
import type { StoreContext } from '../context.ts';
import { storeError } from '../errors.ts';
import { openSlots } from './find-slots.ts';
import { listKeys, type OpenKeys } from './layout.ts';
import { refuseUnlessNewest } from './next-ring.ts';
import { type FoundSlot, readSlots, type SlotProblem } from './slot-list.ts';
import { slotBytesMax } from './slots.ts';

type KeyContext = Pick<StoreContext, 'backend' | 'ring' | 'seams'>;

/**
 * Deletes a slot, unless nothing would show that somebody can open the store afterwards: STORE_SLOT_REFUSED for the last
 * one, and for the one that the passphrase at hand opened unless that opens another. A slot that needs a newer program
 * stays: STORE_NEWER. It is as it was before where the others went meanwhile: STORE_LOCKED.
 */
export async function removeSlot(
  context: KeyContext,
  keys: OpenKeys,
  { name, call }: { readonly name: string; readonly call: CallOptions },
): Promise<void> {
  const { backend, ring } = context;
  const { slotNames, ringNumbers } = await listKeys(backend, call);
  refuseUnlessNewest(keys, ringNumbers);
  if (!slotNames.includes(name))
    throw storeError('STORE_SLOT_UNKNOWN', `Cannot remove key slot ${name}: it is not there`, {
      remedy: 'See `stillpoint keys list`.',
    });
  const found = await readSlots(backend, { slotNames, blake3: ring.blake3, call });
  refuseNewer(found.problems, name);
  const inUse = found.slots.filter(({ slot }) => slot.ringKeyNumber === keys.ringKey.number);
  const others = inUse.filter(other => other.name !== name);
  if (others.length === 0)
    throw refused(name, 'it is the last that opens the store', {
      remedy: 'Add another first with `stillpoint keys add`.',
    });
  if (name === keys.slotName && !(await opensOne(others, keys, call)))
    throw refused(name, 'this run opened the store with it, and its passphrase opens no other', {
      remedy:
        'Open the store with the passphrase of another slot, which shows that you have it, and remove this one then.',
    });
  await deleteUnlessLast(context, keys, { name, call });
}

/** Two runs may each remove the other's: whoever finds none left puts back what it removed. */
async function deleteUnlessLast(
  { backend, ring }: KeyContext,
  { ringKey }: OpenKeys,
  { name, call }: { readonly name: string; readonly call: CallOptions },
): Promise<void> {
  const bytes = await backend.get(name, { ...call, bytesMax: slotBytesMax });
  await backend.delete(name, call);
  await backend.sync();
  const { slotNames } = await listKeys(backend, {});
  const { slots } = await readSlots(backend, { slotNames, blake3: ring.blake3, call: {} });
  if (slots.some(({ slot }) => slot.ringKeyNumber === ringKey.number)) return;
  await backend.put(name, bytes);
  throw storeError('STORE_LOCKED', `Cannot remove key slot ${name}: the others were removed meanwhile`, {
    remedy: 'It is there again. See `stillpoint keys list`.',
    context: { object: name },
  });
}

async function opensOne(
  slots: readonly FoundSlot[],
  { passphrase, ringKey, ring: { storeId } }: OpenKeys,
  call: CallOptions,
): Promise<boolean> {
  for await (const { key } of openSlots(slots, { passphrase, storeId, call, onDamaged: () => undefined }))
    if (Buffer.compare(key, ringKey.key) === 0) return true;
  return false;
}

function refuseNewer(problems: readonly SlotProblem[], name: string): void {
  const problem = problems.find(other => other.name === name);
  if (problem?.error.code === 'STORE_NEWER') throw problem.error;
}

function refused(name: string, state: string, { remedy }: { readonly remedy: string }): Error {
  return storeError('STORE_SLOT_REFUSED', `Cannot remove key slot ${name}: ${state}`, {
    remedy,
    context: { object: name },
  });
}
