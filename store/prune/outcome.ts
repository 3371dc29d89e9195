import type { PackId } from '../ids.ts';
import type { PendingPlan } from './plan.ts';

/** What nobody needs and is still there, by what keeps it. Bytes of packs as they lie in the store. */
export interface Pending extends PendingPlan {
  /** A backup said that it needs what was to go, or was found to. */
  readonly vetoedBytes: number;
  /** The time was over. */
  readonly timeBytes: number;
  /** The medium was too full for copies. */
  readonly roomBytes: number;
}

/** What reclaim came to, or would. Bytes are those of packs as they lie in the store. */
export interface Reclaimed {
  /** The packs that went, less those that were written for what was still needed of them. Negative where a veto kept them. */
  readonly freedBytes: number;
  /** Needed by no snapshot, and still there. */
  readonly pendingBytes: number;
  /** The same, by what keeps it. */
  readonly pending: Pending;
  /** Room for the copies that `pending.roomBytes` waits for. */
  readonly roomNeededBytes: number;
  /** What the time did not suffice for; undefined: for everything. After 'mark' nobody knows what is pending. */
  readonly stoppedIn: 'mark' | 'rewrite' | 'delete' | undefined;
  /** All packs afterwards. */
  readonly storedBytes: number;
  /** Every pack that went. */
  readonly deletedPacks: number;
  /** Those of them of which something was still needed. */
  readonly rewrittenPacks: number;
  /** Those of them that dead runs left behind and no index listed. */
  readonly orphanPacks: number;
  /** Packs made of what was still needed. */
  readonly writtenPacks: number;
  /** Packs that were worth copying from and could not be read: they stay. Verify names the damage. */
  readonly unreadablePacks: number;
}

const nothingPending: Pending = {
  atWorkBytes: 0,
  mostlyNeededBytes: 0,
  damagedBytes: 0,
  vetoedBytes: 0,
  timeBytes: 0,
  roomBytes: 0,
};

/** Of a store in which nothing was ever stored. */
export const nothingReclaimed: Reclaimed = {
  freedBytes: 0,
  pendingBytes: 0,
  pending: nothingPending,
  roomNeededBytes: 0,
  stoppedIn: undefined,
  storedBytes: 0,
  deletedPacks: 0,
  rewrittenPacks: 0,
  orphanPacks: 0,
  writtenPacks: 0,
  unreadablePacks: 0,
};

/** Of a look that came to nothing but this. */
export function reclaimedNothingOf(
  sizes: ReadonlyMap<PackId, number>,
  stoppedIn: Reclaimed['stoppedIn'],
): Reclaimed {
  return { ...nothingReclaimed, stoppedIn, storedBytes: bytesOf(sizes.keys(), sizes) };
}

export function withPending(
  plan: PendingPlan,
  more: Partial<Pending>,
): Pick<Reclaimed, 'pending' | 'pendingBytes'> {
  const pending = { ...nothingPending, ...plan, ...more };
  return { pending, pendingBytes: Object.values(pending).reduce((sum, bytes) => sum + bytes, 0) };
}

/** Of two rounds of one prune; what waits is what the later one says. */
export function addRounds(first: Reclaimed, second: Reclaimed): Reclaimed {
  return {
    ...second,
    freedBytes: first.freedBytes + second.freedBytes,
    deletedPacks: first.deletedPacks + second.deletedPacks,
    rewrittenPacks: first.rewrittenPacks + second.rewrittenPacks,
    orphanPacks: first.orphanPacks + second.orphanPacks,
    writtenPacks: first.writtenPacks + second.writtenPacks,
  };
}

/** What these packs take; those that are not there take nothing. */
export function bytesOf(packs: Iterable<PackId>, sizes: ReadonlyMap<PackId, number>): number {
  let sum = 0;
  for (const pack of packs) sum += sizes.get(pack) ?? 0;
  return sum;
}
