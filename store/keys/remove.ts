import type { CallOptions } from '../backend/backend.ts';
import type { StoreContext } from '../context.ts';
import { storeError } from '../errors.ts';
import { openSlots } from './find-slots.ts';
import { listKeys, type OpenKeys } from './layout.ts';
import { putNextRing, refuseUnlessNewest } from './next-ring.ts';
import { slotId } from './report.ts';
import { type FoundSlot, readSlots, type SlotProblem } from './slot-list.ts';

type KeyContext = Pick<StoreContext, 'backend' | 'ring' | 'seams'>;

/**
 * Deletes a slot, unless nothing would show that somebody can open the store afterwards: STORE_SLOT_REFUSED for the last
 * one, and for the one that the passphrase at hand opened unless that opens another. A slot that needs a newer program
 * stays: STORE_NEWER. STORE_LOCKED: the keys were changed meanwhile, and nothing was removed.
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
  const others = countedOn(found.slots, keys).filter(other => other.name !== name);
  if (others.length === 0)
    throw refused(name, 'it is the last that opens the store', {
      remedy: 'Add another first with `stillpoint keys add`.',
    });
  if (!others.some(other => other.name === keys.slotName) && !(await opensOne(others, keys, call)))
    throw refused(name, 'this run opened the store with it, and its passphrase opens no other', {
      remedy:
        'Open the store with the passphrase of another slot, which shows that you have it, and remove this one then.',
    });
  await markRemoved(context, keys, { name, slotNames });
  await backend.delete(name, call);
  await backend.sync(call);
}

/** Slots that open the ring in use and are not being removed. */
export function countedOn(
  slots: readonly FoundSlot[],
  { ringKey, body }: Pick<OpenKeys, 'ringKey' | 'body'>,
): FoundSlot[] {
  const removed = new Set(body.removed);
  return slots.filter(
    ({ name, slot }) => slot.ringKeyNumber === ringKey.number && !removed.has(slotId(name)),
  );
}

/**
 * Says in a new ring that a slot goes, before it does. Of two runs that each remove the slot that the other counts on, one
 * creates the ring; the other is refused, or finds its own slot marked. So one that is counted on is always there.
 */
async function markRemoved(
  context: KeyContext,
  keys: OpenKeys,
  { name, slotNames }: { readonly name: string; readonly slotNames: readonly string[] },
): Promise<void> {
  const marked = keys.body.removed ?? [];
  if (marked.includes(slotId(name))) return;
  const there = new Set(slotNames.map(slotId));
  const body = { ...keys.body, removed: [...marked.filter(id => there.has(id)), slotId(name)] };
  const ringNumber = await putNextRing(context, keys, { body, ringKey: keys.ringKey });
  keys.adopt?.({ ...keys, ringNumber, body });
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
