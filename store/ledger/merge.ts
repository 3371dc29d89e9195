import type { PackId, SnapshotId } from '../ids.ts';
import type { LedgerAct } from '../protocol/records.ts';

/** Whether a ledger still has to speak of them. */
export interface Remembered {
  snapshot(id: SnapshotId): boolean;
  pack(id: PackId): boolean;
}

/**
 * What is left to say of many acts, oldest first: of each kind and outcome, every snapshot and pack in its newest act
 * alone. An act with none left goes, unless it is the newest of its kind and outcome, which is history. So a ledger
 * grows with the store, and not with the years.
 */
export function mergeActs(acts: readonly LedgerAct[], remembered: Remembered): LedgerAct[] {
  const said = new Set<string>();
  const isNews = (what: string): boolean => said.size !== said.add(what).size;
  const kept: LedgerAct[] = [];
  for (const act of [...acts].sort((a, b) => b.finishedMs - a.finishedMs)) {
    const kind = `${act.act} ${act.isOk}`;
    const isNewest = isNews(kind);
    const snapshots = act.snapshots.filter(id => remembered.snapshot(id) && isNews(`${kind} ${id}`));
    // Who read a pack does not matter, only that all was well.
    const packs = act.packs.filter(id => remembered.pack(id) && isNews(`${act.isOk} ${id}`));
    if (isNewest || snapshots.length > 0 || packs.length > 0) kept.push({ ...act, snapshots, packs });
  }
  return kept.reverse();
}
