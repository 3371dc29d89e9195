import type { CallOptions } from '../backend/backend.ts';
import type { StoreContext } from '../context.ts';
import { isStoreError, storeError } from '../errors.ts';
import { checkSlot, putSlot, refuseTooMany } from './add.ts';
import { openSlots } from './find-slots.ts';
import { listKeys, type OpenKeys } from './layout.ts';
import { putNextRing, refuseUnlessNewest } from './next-ring.ts';
import { countedOn } from './remove.ts';
import type { RingBody, RingKey } from './ring.ts';
import { type FoundSlot, readSlots } from './slot-list.ts';
import { unlockKeys } from './unlock.ts';

type KeyContext = Pick<StoreContext, 'backend' | 'ring' | 'seams'>;

export interface RotateOptions {
  /** In the place of the one at hand. */
  readonly newPassphrase?: string | undefined;
  /** Of other slots, which shall go on opening the store. STORE_WRONG_PASSPHRASE where one opens none. */
  readonly otherPassphrases: readonly string[];
  /** Slots whose passphrases are not given lose access; otherwise STORE_SLOT_REFUSED names them. */
  readonly dropsOthers: boolean;
}

/** What a rotation did. */
export interface Rotated {
  readonly ringNumber: number;
  readonly ringKeyNumber: number;
  /** What is written from now on is of this one. */
  readonly epoch: number;
  /** Names of slots that were made, which open the store now. */
  readonly made: readonly string[];
  /** Slots whose holders lost access: none but by `dropsOthers`. */
  readonly dropped: readonly FoundSlot[];
  /** Names of slots that open nothing any more, and could not be deleted. */
  readonly left: readonly string[];
}

/** A passphrase that goes on, and the slot that it had. */
interface Kept {
  readonly from: FoundSlot;
  readonly passphrase: string;
}

/**
 * A new ring key and a new epoch: slots first, each opened as it was read back; then the ring, from which on it counts;
 * then the old slots go. These keys go on as the new ones. Killed anywhere it leaves a store that opens. STORE_LOCKED: another change was first, and nothing
 * of this one is left.
 */
export async function rotateRing(
  context: KeyContext,
  keys: OpenKeys,
  { options, call }: { readonly options: RotateOptions; readonly call: CallOptions },
): Promise<Rotated> {
  const { backend, ring, seams } = context;
  refuseSame(keys, options.newPassphrase);
  const { slotNames, ringNumbers } = await listKeys(backend, call);
  refuseUnlessNewest(keys, ringNumbers);
  const { slots } = await readSlots(backend, { slotNames, blake3: ring.blake3, call });
  const { kept, dropped } = await plan(keys, { slots, options, call });
  refuseTooMany(slotNames.length + kept.length);
  const ringKey: RingKey = { number: nextNumber(keys, slots), key: seams.randomness.bytes(32) };
  const epoch = {
    number: ring.epoch + 1,
    secret: seams.randomness.bytes(32),
    createdMs: seams.clock.nowMs(),
  };
  // All slots before are void: none needs to be named as removed.
  const body: RingBody = { ...keys.body, epochs: [...keys.body.epochs, epoch], removed: [] };
  const made: string[] = [];
  let ringNumber: number;
  let mayCount = false;
  try {
    for (const one of kept) made.push(await makeSlot(context, { ...one, ringKey, call }));
    call.signal?.throwIfAborted();
    mayCount = true;
    ringNumber = await putNextRing(context, keys, { body, ringKey });
  } catch (error) {
    // Unless nobody can say whether the ring is there: then these are what opens it.
    const isLost = isStoreError(error) && error.code === 'STORE_LOCKED';
    if (!mayCount || isLost) for (const name of made) await backend.delete(name).catch(() => undefined);
    throw error;
  }
  keys.adopt?.(await unlockKeys(backend, { passphrase: kept[0]!.passphrase }));
  const left = await deleteOlder(context, ringKey.number);
  const { number } = ringKey;
  return { ringNumber, ringKeyNumber: number, epoch: epoch.number, made, dropped, left };
}

/** Whoever gives the passphrase in use as a new one means another file. STORE_SLOT_REFUSED. */
export function refuseSame({ passphrase }: Pick<OpenKeys, 'passphrase'>, another: string | undefined): void {
  if (another !== passphrase) return;
  throw storeError(
    'STORE_SLOT_REFUSED',
    'Cannot change the passphrase: the new one is the one that is in use',
    { remedy: 'Nothing was changed. Give another; to change the keys alone, give no new passphrase.' },
  );
}

/** Who keeps access, the passphrase at hand first, and who does not. */
async function plan(
  keys: OpenKeys,
  parts: {
    readonly slots: readonly FoundSlot[];
    readonly options: RotateOptions;
    readonly call: CallOptions;
  },
): Promise<{ readonly kept: readonly Kept[]; readonly dropped: readonly FoundSlot[] }> {
  const { options, call } = parts;
  const { ringKey, ring } = keys;
  const inUse = countedOn(parts.slots, keys);
  const own = inUse.find(({ name }) => name === keys.slotName);
  if (own === undefined)
    throw storeError(
      'STORE_LOCKED',
      'Cannot rotate the keys: the slot of this passphrase was removed meanwhile',
      {
        remedy: 'Run the command again, with a passphrase that opens the store now.',
      },
    );
  const kept: Kept[] = [{ from: own, passphrase: options.newPassphrase ?? keys.passphrase }];
  let rest = inUse.filter(slot => slot !== own);
  for (const [index, passphrase] of [...options.otherPassphrases].entries()) {
    const tried = { passphrase, storeId: ring.storeId, call, onDamaged: () => undefined };
    let isKnown = passphrase === keys.passphrase;
    if (isKnown && options.newPassphrase !== undefined) kept.push({ from: own, passphrase });
    for await (const { key, name } of openSlots(rest, tried)) {
      if (Buffer.compare(key, ringKey.key) !== 0) continue;
      kept.push({ from: rest.find(slot => slot.name === name)!, passphrase });
      rest = rest.filter(slot => slot.name !== name);
      isKnown = true;
      break;
    }
    if (!isKnown)
      throw storeError(
        'STORE_WRONG_PASSPHRASE',
        `Cannot rotate the keys: passphrase ${index + 1} of those to keep opens no slot`,
        { remedy: 'Nothing was changed. Give passphrases that open the store now.' },
      );
  }
  // A second slot of the passphrase at hand is nobody's loss.
  const tried = { passphrase: keys.passphrase, storeId: ring.storeId, call, onDamaged: () => undefined };
  for await (const { name } of openSlots(rest, tried)) rest = rest.filter(slot => slot.name !== name);
  if (rest.length > 0 && !options.dropsOthers) throw othersLose(rest);
  return { kept, dropped: rest };
}

function othersLose(slots: readonly FoundSlot[]): Error {
  const names = slots.map(({ name, slot }) => `${name.slice(5, 13)}${slot.label && ` (${slot.label})`}`);
  return storeError(
    'STORE_SLOT_REFUSED',
    `Cannot rotate the keys: ${names.join(', ')} would no longer open the store, since a new ring key can be wrapped only with the passphrase itself`,
    {
      remedy:
        'Give their passphrases with --keep-passphrase-file, once for each, or say --drop-others: they can be added again later.',
      context: { slots: slots.map(({ name }) => name) },
    },
  );
}

/** Above all that were ever used, so that what a dead rotation left is older. Slots can say what they like: within reason. */
function nextNumber({ ringKey }: OpenKeys, slots: readonly FoundSlot[]): number {
  const plausible = slots.map(({ slot }) => slot.ringKeyNumber).filter(number => number < 2 ** 31);
  return Math.max(ringKey.number, ...plausible) + 1;
}

async function makeSlot(
  context: KeyContext,
  { from, passphrase, ringKey, call }: Kept & { readonly ringKey: RingKey; readonly call: CallOptions },
): Promise<string> {
  const { label, kdf } = from.slot;
  const name = await putSlot(context, { ringKey, slot: { passphrase, label, kdf }, call });
  try {
    await checkSlot(context, { name, ringKey, passphrase, call });
  } catch (error) {
    await context.backend.delete(name).catch(() => undefined);
    throw error;
  }
  return name;
}

/**
 * Slots of ring keys before this one: the old ones, and what rotations left that died or lost. None of them can come to
 * count, since whoever began before took the same number for its ring, and whoever begins now takes a higher key's.
 */
async function deleteOlder({ backend, ring }: KeyContext, ringKeyNumber: number): Promise<readonly string[]> {
  const left: string[] = [];
  const { slotNames } = await listKeys(backend, {});
  const { slots } = await readSlots(backend, { slotNames, blake3: ring.blake3, call: {} });
  for (const { name, slot } of slots) {
    if (slot.ringKeyNumber >= ringKeyNumber) continue;
    await backend.delete(name).catch(() => void left.push(name));
  }
  await backend.sync().catch(() => undefined);
  return left;
}
