import type { StoreContext } from '../context.ts';
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
  /** Names of parts that cannot be read and that no later part replaces. */
  readonly damaged: readonly string[];
}

/** What is to be listed again, and which damaged parts are then replaced. */
export async function planIndex(
  context: StoreContext,
  { packs, damaged }: IndexParts,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<{ readonly rows: readonly PackRow[]; readonly replaces: readonly string[] }> {
  const isAlive = await aliveSessions(context, options);
  const unlisted = packs.filter(({ isListed, bytes }) => !isListed && bytes !== undefined);
  // Who writes a pack lists it; until then nobody knows whether a part that is damaged did.
  const own = unlisted.filter(({ pack }) => !isAlive(pack));
  const rows = own.flatMap(({ row, isTrailerWhole }) => (row && isTrailerWhole ? [row] : []));
  const isAll = own.length === unlisted.length;
  return { rows, replaces: isAll ? damaged.map(name => name.slice('index/'.length)) : [] };
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
