import type { Stats } from '../system/stat.ts';
import type { EntryTable } from './table.ts';

/** Files with several names, so that each is read once a look. */
export class LinkedNames {
  #rows = new Map<string, number>();

  /** A row of the same file that was taken already and has not changed since. Remembers this one otherwise. */
  other(
    stats: Stats,
    { table, at, kept }: { table: EntryTable; at: number; kept?: ReadonlyMap<number, unknown> },
  ): number | undefined {
    if (stats.nlink < 2) return undefined;
    const key = `${table.fileSystem(at)}:${stats.ino}`;
    const known = this.#rows.get(key);
    if (known === undefined) {
      this.#rows.set(key, at);
      return undefined;
    }
    const state = table.state(known);
    const same =
      state.mtimeNs === stats.mtimeNs && state.ctimeNs === stats.ctimeNs && state.size === stats.size;
    const isTaken = !table.isUntaken(known) && (kept?.has(known) || table.contentOf(known) !== undefined);
    return same && isTaken ? known : undefined;
  }
}

/**
 * Which names are one file. The inode alone does not say: one may be freed and given to another file between two
 * stats, so names must agree in their state too.
 */
export class LinkGroups {
  #known = new Map<string, string>();

  /** True when this name belongs to the group of its file system and inode. */
  has(table: EntryTable, at: number): boolean {
    if (!table.isLinked(at)) return false;
    const { size, mtimeNs, ctimeNs, ino } = table.state(at);
    const key = `${table.fileSystem(at)}:${ino}`;
    const state = `${size} ${mtimeNs} ${ctimeNs} ${table.mode(at)}`;
    const known = this.#known.get(key);
    if (known === undefined) this.#known.set(key, state);
    return known === undefined || known === state;
  }
}
