import type { PackId } from '../ids.ts';
import type { PlannedPack } from './data.ts';
import { longestAgoFirst } from './due.ts';
import type { Inventory, VerifyRun } from './run.ts';

export interface Amount {
  readonly packs: number;
  readonly bytes: number;
}

/** How fresh the knowledge about the bytes of a store is. */
export interface Scrub {
  readonly all: Amount;
  /** Read by this run, and well. */
  readonly read: Amount;
  /** Never read, or not since their turn came. */
  readonly due: Amount;
  /** Not read for 30 days, those that never were among them: the debt. */
  readonly overdue: Amount;
  readonly neverRead: Amount;
  /** When what was read longest ago was read; null where nothing ever was. */
  readonly oldestReadMs: number | null;
}

export function readMsOf(run: VerifyRun, pack: PackId): number | null {
  return run.notes.readAtMs(pack) ?? run.ledger.readAtMs(pack);
}

/** Packs to be read, those that were read longest ago first. */
export function planPacks(
  run: VerifyRun,
  { packs }: Inventory,
  wants: (pack: PackId, readMs: number | null) => boolean,
): PlannedPack[] {
  const planned: PlannedPack[] = [];
  for (const [pack, bytes] of packs) {
    if (run.notes.readAtMs(pack) !== null) continue; // by an earlier attempt of this run
    const readMs = run.ledger.readAtMs(pack);
    if (wants(pack, readMs)) planned.push({ pack, bytes, readMs });
  }
  return longestAgoFirst(planned);
}

export function scrubOf(run: VerifyRun, { packs }: Inventory): Scrub {
  const none = () => ({ packs: 0, bytes: 0 });
  const scrub = { all: none(), read: none(), due: none(), overdue: none(), neverRead: none() };
  let oldestReadMs: number | null = null;
  const add = (amount: { packs: number; bytes: number }, bytes: number): void => {
    amount.packs += 1;
    amount.bytes += bytes;
  };
  for (const [pack, bytes] of packs) {
    const readMs = readMsOf(run, pack);
    add(scrub.all, bytes);
    if (run.notes.readAtMs(pack) !== null) add(scrub.read, bytes);
    if (run.turns.isDue(pack, readMs)) add(scrub.due, bytes);
    if (run.turns.isOverdue(readMs)) add(scrub.overdue, bytes);
    if (readMs === null) add(scrub.neverRead, bytes);
    else oldestReadMs = Math.min(oldestReadMs ?? readMs, readMs);
  }
  return { ...scrub, oldestReadMs };
}
