import { equalDigests, type RowDigest } from './digest.ts';
import type { TableChange } from './kind.ts';

/** Rows that only one of two states has, counted as they are written: a row that was changed is one of each. */
export interface RowCounts {
  readonly added: number;
  readonly removed: number;
}

/** Counts the rows that differ between the parts of one table; undefined: too many to be counted. */
export interface CountsRows<Part> {
  add(pair: { readonly before: Part | undefined; readonly after: Part | undefined }): Promise<void>;
  counts(): Promise<RowCounts | undefined>;
}

/** Counts rows table by table: the parts of a table come one after the other, before its own entry. */
export class ChangedRows<Part> {
  readonly #begin: (table: string) => Promise<CountsRows<Part> | undefined>;
  readonly #counts = new Map<string, RowCounts | undefined>();
  #table = '';
  /** Of the table under way; undefined where its rows need not be read. */
  #difference: CountsRows<Part> | undefined;

  /** `begin` is asked at a table's first part, and gives nothing where its rows need not be read. */
  constructor(begin: (table: string) => Promise<CountsRows<Part> | undefined>) {
    this.#begin = begin;
  }

  async add(
    table: string,
    pair: { readonly before: Part | undefined; readonly after: Part | undefined },
  ): Promise<void> {
    if (table !== this.#table) {
      await this.end();
      this.#table = table;
      this.#difference = await this.#begin(table);
    }
    await this.#difference?.add(pair);
  }

  async end(): Promise<void> {
    if (this.#difference) this.#counts.set(this.#table, await this.#difference.counts());
    this.#difference = undefined;
    this.#table = '';
  }

  /** Undefined: not counted. */
  countsOf(table: string): RowCounts | undefined {
    return this.#counts.get(table);
  }
}

interface TableSide {
  readonly kind: string;
  readonly digest: RowDigest;
}

/** What a difference says of one table, of which a side may be missing; nothing where only its place is another. */
export function tableChange(
  name: { readonly schema: string; readonly name: string },
  table: {
    readonly before: TableSide | undefined;
    readonly after: TableSide | undefined;
    /** Asked where both are there. */
    readonly isDefinitionChanged: () => boolean;
    /** Asked where both are there and their rows differ. */
    readonly counts: () => RowCounts | undefined;
  },
): TableChange[] {
  const { before, after } = table;
  const areBoth = before !== undefined && after !== undefined;
  const isDefinitionChanged = areBoth && table.isDefinitionChanged();
  const isSame = areBoth && equalDigests(before.digest, after.digest);
  if (isSame && !isDefinitionChanged) return [];
  const rowsBefore = before ? before.digest.rows : null;
  const rowsAfter = after ? after.digest.rows : null;
  const whole = { added: rowsAfter ?? 0, removed: rowsBefore ?? 0 };
  const counts = !areBoth ? whole : isSame ? { added: 0, removed: 0 } : table.counts();
  const { added, removed } = counts ?? { added: null, removed: null };
  const how = !before ? 'added' : !after ? 'removed' : 'changed';
  const { kind } = (after ?? before)!;
  return [{ ...name, how, kind, rowsBefore, rowsAfter, added, removed, isDefinitionChanged }];
}
