import type { StoreContext } from '../context.ts';
import type { PackId } from '../ids.ts';
import type { PackRow } from '../pack/row.ts';
import { aliveSessions } from '../prune/alive.ts';
import type { PackState } from './assess.ts';
import type { RepairWriting } from './writing.ts';

export interface Rebuilt {
  readonly object: string;
  readonly from: string;
}

export interface IndexParts {
  readonly packs: readonly PackState[];
  /** Packs that no part lists and that snapshots need, or this repair relies on. */
  readonly needed: ReadonlySet<PackId>;
  /** Names of parts that cannot be read and that no later part replaces. */
  readonly damaged: readonly string[];
  /** Those of them that the medium failed to read. */
  readonly unread: ReadonlySet<string>;
}

/** What is to be listed again, and which damaged parts are then replaced. */
export async function planIndex(
  context: StoreContext,
  { packs, needed, damaged, unread }: IndexParts,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<{ readonly rows: readonly PackRow[]; readonly replaces: readonly string[] }> {
  const isAlive = await aliveSessions(context, options);
  const unlisted = packs.filter(({ isListed, bytes }) => !isListed && bytes !== undefined);
  // Who writes a pack lists it; until then nobody knows whether a part that is damaged did. What is needed is listed
  // whoever seems to be at work: nobody can tell one who was killed, and a row may be there twice.
  const listable = unlisted.filter(({ pack }) => !isAlive(pack) || needed.has(pack));
  const rows = listable.flatMap(({ row, isTrailerWhole }) => (row && isTrailerWhole ? [row] : []));
  const isAll = unlisted.every(({ pack }) => !isAlive(pack));
  // A part that may be whole is all that says what a pack holds that cannot say it itself.
  const replaced = rows.length === unlisted.length ? damaged : damaged.filter(name => !unread.has(name));
  return { rows, replaces: isAll ? replaced.map(name => name.slice('index/'.length)) : [] };
}

export async function rebuildIndex(
  writing: RepairWriting,
  { rows, replaces }: { readonly rows: readonly PackRow[]; readonly replaces: readonly string[] },
): Promise<Rebuilt[]> {
  if (rows.length === 0 && replaces.length === 0) return [];
  const names = await writing.list(rows, { replaces });
  const from = `the trailers of ${rows.length} packs`;
  return names.map(object => ({ object, from }));
}
