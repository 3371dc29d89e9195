import { type SipHash, sipHash24 } from '../../chunker/index.ts';
import {
  type ChunkId,
  type ChunkSource,
  type Content,
  type Extent,
  extentsOf,
  hex,
} from '../../store/index.ts';
import type { RowCounts } from './changed-tables.ts';
import { type RowSink, RowSplitter } from './row-splitter.ts';

/** More rows than this, on both sides together, are not compared: their hashes are in memory, 8 bytes each. */
export const comparedRowsMax = 4_000_000;
const chunksMax = 1_000_000;
/** A row that the data cutter cut has a piece at least so long; then chunks do not end with rows. */
const pieceBytesMin = 512 * 1024;

/** What was, and what is. */
export type Side = 'before' | 'after';
type Parts = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/**
 * Counts the rows that differ between two states of a table, wherever in it they are; a row ends with a newline. Chunks that
 * both sides have are not read: they hold the same rows.
 */
export class RowDifference {
  readonly #source: ChunkSource;
  readonly #sides: Readonly<Record<Side, RowHashes>>;
  /** By chunk: how many times more often the after has it. */
  readonly #chunks = new Map<string, { readonly id: ChunkId; times: number }>();
  #isTooMuch = false;

  constructor(source: ChunkSource, key: Uint8Array) {
    this.#source = source;
    this.#sides = { before: new RowHashes(key), after: new RowHashes(key) };
  }

  /** True: nothing more needs to be added. */
  get isTooMuch(): boolean {
    return this.#isTooMuch;
  }

  /** By its chunks where they hold whole rows, else as `read` gives it. */
  async addContent(side: Side, content: Content, read: () => Parts): Promise<void> {
    if (!this.#isTooMuch && !(await this.#addChunks(side, content))) await this.addRows(side, read());
  }

  /** Split anywhere; each part is looked at before the next is asked for. */
  async addRows(side: Side, parts: Parts): Promise<void> {
    const { before, after } = this.#sides;
    const splitter = new RowSplitter({ digest: this.#sides[side] });
    let target = new Uint8Array(0);
    for await (const bytes of parts) {
      if (target.length < bytes.length) target = new Uint8Array(bytes.length);
      splitter.split(bytes, target);
      if (before.count + after.count > comparedRowsMax) {
        this.#isTooMuch = true;
        return;
      }
    }
  }

  /** undefined: too many rows differ to be counted. */
  async counts(): Promise<RowCounts | undefined> {
    for (const { id, times } of this.#chunks.values()) {
      for (let i = 0; i < Math.abs(times) && !this.#isTooMuch; i += 1)
        await this.addRows(times < 0 ? 'before' : 'after', [await this.#source.get(id, 'data')]);
    }
    if (this.#isTooMuch) return undefined;
    return countUnequal(this.#sides.before.sorted(), this.#sides.after.sorted());
  }

  /** False, and nothing is added, where chunks may not hold whole rows. */
  async #addChunks(side: Side, content: Content): Promise<boolean> {
    const extents: Extract<Extent, { kind: 'chunk' }>[] = [];
    for await (const extent of extentsOf(this.#source, content)) {
      if (extent.kind !== 'chunk' || extent.offset !== 0 || extent.length >= pieceBytesMin) return false;
      extents.push(extent);
    }
    for (const { id } of extents) {
      const name = hex(id);
      const known = this.#chunks.get(name) ?? { id, times: 0 };
      known.times += side === 'after' ? 1 : -1;
      if (known.times === 0) this.#chunks.delete(name);
      else this.#chunks.set(name, known);
    }
    this.#isTooMuch ||= this.#chunks.size > chunksMax;
    return true;
  }
}

/** Hashes of rows, as many as there are. */
class RowHashes implements RowSink {
  readonly #hash: SipHash;
  #halves = new Uint32Array(1 << 12);
  #count = 0;
  #pieces: number[] = [];

  constructor(key: Uint8Array) {
    this.#hash = sipHash24(key);
  }

  get count(): number {
    return this.#count;
  }

  addRow(bytes: Uint8Array, from: number, to: number): void {
    this.#push(this.#hash(bytes, from, to));
  }

  addPiece(bytes: Uint8Array, from: number, to: number): void {
    const { low, high } = this.#hash(bytes, from, to);
    this.#pieces.push(low, high);
  }

  endPieces(): void {
    this.#push(this.#hash(new Uint8Array(Uint32Array.from(this.#pieces).buffer)));
    this.#pieces = [];
  }

  /** The hashes in order; nothing may be added afterwards. */
  sorted(): BigUint64Array {
    return new BigUint64Array(this.#halves.buffer, 0, this.#count).sort();
  }

  #push({ low, high }: { readonly low: number; readonly high: number }): void {
    if (2 * this.#count + 2 > this.#halves.length) {
      const larger = new Uint32Array(2 * this.#halves.length);
      larger.set(this.#halves);
      this.#halves = larger;
    }
    this.#halves[2 * this.#count] = low;
    this.#halves[2 * this.#count + 1] = high;
    this.#count += 1;
  }
}

/** What each of two sorted sequences has more often than the other. */
function countUnequal(before: BigUint64Array, after: BigUint64Array): RowCounts {
  let [i, j, added, removed] = [0, 0, 0, 0];
  while (i < before.length || j < after.length) {
    const [a, b] = [before[i], after[j]];
    if (a !== undefined && a === b) {
      i += 1;
      j += 1;
    } else if (b === undefined || (a !== undefined && a < b)) {
      i += 1;
      removed += 1;
    } else {
      j += 1;
      added += 1;
    }
  }
  return { added, removed };
}
