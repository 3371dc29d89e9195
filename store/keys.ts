import { storeError } from './errors.ts';
import {
  addSlot,
  type KeySlot,
  type KeysReport,
  type NewSlot,
  type Rotated,
  type RotateOptions,
  refuseSame,
  removeSlot,
  reportKeys,
  rotateRing,
  slotId,
} from './keys/index.ts';
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

/** What a person calls a slot: a full id, the beginning of one, or a label. STORE_SLOT_UNKNOWN, STORE_SLOT_AMBIGUOUS. */
export function slotNamed({ slots, problems }: KeysReport, text: string): string {
  const ids = [...slots, ...problems].map(({ id }) => id);
  if (ids.includes(text)) return text;
  const labelled = slots.filter(({ label }) => label !== '' && label === text).map(({ id }) => id);
  const begun = /^[0-9a-f]{4,64}$/.test(text) ? ids.filter(id => id.startsWith(text)) : [];
  const [found, ...others] = new Set([...labelled, ...begun]);
  const remedy =
    'See `stillpoint keys list`, and give an id, or 4 or more of its first characters, or a label.';
  if (found === undefined)
    throw storeError('STORE_SLOT_UNKNOWN', `Cannot find key slot ${JSON.stringify(text)}: there is none`, {
      remedy,
    });
  if (others.length === 0) return found;
  throw storeError(
    'STORE_SLOT_AMBIGUOUS',
    `Cannot tell which key slot ${JSON.stringify(text)} is: there are several`,
    {
      remedy,
      context: { slots: [found, ...others] },
    },
  );
}

/**
 * Removes the slot of a full id. STORE_SLOT_REFUSED where nothing would show that somebody can open the store afterwards.
 * This does not revoke: whoever opened it knows the ring key.
 */
export function removeKeySlot(store: Store, id: string, { signal }: CallOptions = {}): Promise<void> {
  const { context, keys } = insideOf(store);
  return removeSlot(context, keys, { name: `keys/${id}`, call: signal ? { signal } : {} });
}

/**
 * A new ring key, and a new epoch for what is written from now on; everything before stays readable. This store goes on
 * under the new keys. STORE_SLOT_REFUSED names slots whose passphrases were not given, STORE_LOCKED: another was first.
 */
export function rotateKeys(
  store: Store,
  { signal, ...options }: RotateOptions & CallOptions,
): Promise<Rotated> {
  const { context, keys } = insideOf(store);
  return rotateRing(context, keys, { options, call: signal ? { signal } : {} });
}

/**
 * Another passphrase for the slot that the one at hand opened: a new slot with its label, then the old one goes. The ring
 * key stays, so it revokes nothing either.
 */
export async function changePassphrase(
  store: Store,
  { passphrase, signal }: CallOptions & { readonly passphrase: string },
): Promise<KeySlot> {
  const { context, keys } = insideOf(store);
  const call = signal ? { signal } : {};
  refuseSame(keys, passphrase);
  const { slots } = await reportKeys(context, keys, call);
  const own = slots.find(({ isOpener }) => isOpener);
  if (own === undefined)
    throw storeError('STORE_LOCKED', 'Cannot change the passphrase: its slot was removed meanwhile', {
      remedy: 'Run the command again, with a passphrase that opens the store now.',
    });
  const { id, label, kdf } = own;
  const made = await addKeySlot(store, { passphrase, label, kdf, ...call });
  keys.adopt?.({ ...keys, slotName: `keys/${made.id}`, passphrase });
  await removeSlot(context, keys, { name: `keys/${id}`, call });
  return made;
}
