import type { PackId, SnapshotId } from '../ids.ts';
import type { LedgerAct } from '../protocol/records.ts';

/** Whether a ledger still has to speak of them. */
export interface Remembered {
  snapshot(id: SnapshotId): boolean;
  pack(id: PackId): boolean;
}

/**
 * What is left to say of many acts, given in the order in which they count, oldest first: of each kind and outcome, every snapshot and pack in its newest act
 * alone. An act with none left goes, unless it is the newest of its kind and outcome, which is history. So a ledger
 * grows with the store, and not with the years.
 */
export function mergeActs(acts: readonly LedgerAct[], remembered: Remembered): LedgerAct[] {
  const said = new Set<string>();
  const isNews = (what: string): boolean => said.size !== said.add(what).size;
  const kept: LedgerAct[] = [];
  for (const act of acts.toReversed()) {
    const kind = `${act.act} ${act.isOk}`;
    const isNewest = isNews(kind);
    const snapshots = act.snapshots.filter(id => remembered.snapshot(id) && isNews(`${kind} ${id}`));
    // Who read a pack does not matter, only that all was well.
    const packs = act.packs.filter(id => remembered.pack(id) && isNews(`${act.isOk} ${id}`));
    const isListedOnly = (id: PackId) => !said.has(`${act.isOk} ${id}`) && isNews(`listed ${act.isOk} ${id}`);
    const listed = (act.listed ?? []).filter(id => remembered.pack(id) && isListedOnly(id));
    if (isNewest || snapshots.length + packs.length + listed.length > 0)
      kept.push({ ...act, snapshots, packs, ...(act.listed && { listed }) });
  }
  return kept.sort((a, b) => a.finishedMs - b.finishedMs);
}
