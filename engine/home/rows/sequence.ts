import type { BytePath } from '../paths.ts';
import type { GitPlace } from '../rules/git-places.ts';
import type { State } from './states.ts';
import type { EntryTable } from './table.ts';

/** Where a row of a sequence is: what an earlier snapshot had, what the live look read, what the window read. */
export const origins = { base: 0, first: 1, again: 2 } as const;
export type Origin = (typeof origins)[keyof typeof origins];

/** An earlier look, as a walk asks it. Rows are in walk order; a folder's rows follow it. */
export interface KnownRows {
  readonly count: number;
  name(at: number): BytePath;
  mode(at: number): number;
  isFolder(at: number): boolean;
  place(at: number): GitPlace;
  /** The row after everything below this one. */
  endOf(at: number): number;
  state(at: number): State;
  fileSystem(at: number): number;
  isUntaken(at: number): boolean;
  isLinked(at: number): boolean;
}

/** Rows of one table that stand side by side. */
export interface RowRun {
  readonly origin: Origin;
  readonly table: EntryTable;
  readonly from: number;
  readonly to: number;
}

const runsFirst = 64;

/**
 * Rows of several tables in listing order, each table's in its own order. Its positions count from 0 as if all rows were
 * in one table. A run costs 13 bytes, however long it is; an unchanged home is one run.
 */
export class RowSequence implements KnownRows {
  readonly #tables: readonly EntryTable[];
  #origins = new Uint8Array(runsFirst);
  #from = new Uint32Array(runsFirst);
  #to = new Uint32Array(runsFirst);
  /** Position of a run's first row. */
  #starts = new Uint32Array(runsFirst);
  #runs = 0;
  #count = 0;
  /** The run and the row that were looked up last: questions come one after the other. */
  #run = 0;
  #row = 0;

  /** By origin. */
  constructor(tables: readonly EntryTable[]) {
    this.#tables = tables;
  }

  get count(): number {
    return this.#count;
  }

  push(origin: Origin, from: number, to: number): void {
    const last = this.#runs - 1;
    if (last >= 0 && this.#origins[last] === origin && this.#to[last] === from) this.#to[last] = to;
    else this.#addRun(origin, from, to);
    this.#count += to - from;
  }

  /** Forgets the newest row. */
  dropLast(): void {
    const last = this.#runs - 1;
    this.#to[last]!--;
    this.#count--;
    if (this.#to[last] === this.#from[last]) this.#runs--;
  }

  /** The first rows alone. */
  firstRows(count: number): RowSequence {
    const some = new RowSequence(this.#tables);
    for (const { origin, from, to } of this.runs(0, Math.min(count, this.#count)))
      some.push(origin, from, to);
    return some;
  }

  /** The runs between two positions, cut to them. */
  *runs(from = 0, to = this.#count): Generator<RowRun> {
    if (from >= to) return;
    for (let run = this.#runOf(from); run < this.#runs && this.#starts[run]! < to; run++) {
      const start = this.#starts[run]!;
      const origin = this.#origins[run] as Origin;
      const first = this.#from[run]! + Math.max(0, from - start);
      const end = Math.min(this.#to[run]!, this.#from[run]! + (to - start));
      yield { origin, table: this.#tables[origin]!, from: first, to: end };
    }
  }

  /** Gives each folder its end as a position of this sequence: then a walk may go over it. */
  endFolders(): void {
    const open: { table: EntryTable; at: number; depth: number }[] = [];
    const closeTo = (depth: number, position: number): void => {
      while (open.length > 0 && open.at(-1)!.depth >= depth) {
        const { table, at } = open.pop()!;
        table.endFolder(at, position);
      }
    };
    let position = 0;
    for (const { table, from, to } of this.runs()) {
      for (let at = from; at < to; at++, position++) {
        const depth = table.depth(at);
        closeTo(depth, position);
        if (table.isFolder(at)) open.push({ table, at, depth });
      }
    }
    closeTo(0, position);
  }

  name(at: number): BytePath {
    return this.#find(at).name(this.#row);
  }
  mode(at: number): number {
    return this.#find(at).mode(this.#row);
  }
  isFolder(at: number): boolean {
    return this.#find(at).isFolder(this.#row);
  }
  place(at: number): GitPlace {
    return this.#find(at).place(this.#row);
  }
  endOf(at: number): number {
    const table = this.#find(at);
    return table.isFolder(this.#row) ? table.endOf(this.#row) : at + 1;
  }
  state(at: number): State {
    return this.#find(at).state(this.#row);
  }
  fileSystem(at: number): number {
    return this.#find(at).fileSystem(this.#row);
  }
  isUntaken(at: number): boolean {
    return this.#find(at).isUntaken(this.#row);
  }
  isLinked(at: number): boolean {
    return this.#find(at).isLinked(this.#row);
  }
  isRead(at: number): boolean {
    return this.#find(at).isRead(this.#row);
  }

  /** The table of a position; its row there is then in #row. */
  #find(position: number): EntryTable {
    const run = this.#runOf(position);
    this.#row = this.#from[run]! + position - this.#starts[run]!;
    return this.#tables[this.#origins[run]!]!;
  }

  #runOf(position: number): number {
    if (!this.#holds(this.#run, position)) {
      let [low, high] = [0, this.#runs - 1];
      if (this.#holds(this.#run + 1, position)) low = high = this.#run + 1;
      while (low < high) {
        const middle = (low + high + 1) >>> 1;
        if (this.#starts[middle]! <= position) low = middle;
        else high = middle - 1;
      }
      this.#run = low;
    }
    return this.#run;
  }

  #holds(run: number, position: number): boolean {
    if (run >= this.#runs) return false;
    const start = this.#starts[run]!;
    return position >= start && position < start + this.#to[run]! - this.#from[run]!;
  }

  #addRun(origin: Origin, from: number, to: number): void {
    const run = this.#runs++;
    if (run === this.#starts.length) {
      const length = run * 2;
      this.#origins = grown(this.#origins, new Uint8Array(length));
      this.#from = grown(this.#from, new Uint32Array(length));
      this.#to = grown(this.#to, new Uint32Array(length));
      this.#starts = grown(this.#starts, new Uint32Array(length));
    }
    this.#origins[run] = origin;
    this.#from[run] = from;
    this.#to[run] = to;
    this.#starts[run] = this.#count;
  }
}

function grown<T extends { set(source: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
