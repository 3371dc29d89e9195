import { type SipHash, sipHash24 } from '../../../../chunker/index.ts';
import {
  type ChunkId,
  type ChunkSource,
  type Extent,
  extentsOf,
  hex,
  sameContent,
} from '../../../../store/index.ts';
import type { CountsRows, RowCounts } from '../../changed-tables.ts';
import type { SegmentEntry } from '../entries/segment-entry.ts';
import { type Layer, liveOffsets, readLayers } from '../rows/layers.ts';
import { layeredRows, segmentRows } from '../rows/reconstruct.ts';
import { type RowSink, RowSplitter } from '../rows/rows.ts';

/** More rows than this, on both sides together, are not compared: their hashes are in memory, 8 bytes each. */
export const comparedRowsMax = 4_000_000;
const chunksMax = 1_000_000;
/** A row that the data cutter cut has a piece at least so long; then chunks do not end with rows. */
const pieceBytesMin = 512 * 1024;

/**
 * Counts the rows that differ between the changed segments of a table, wherever in it they are. Chunks that both sides
 * have are not read: they hold the same rows.
 */
export class RowDifference implements CountsRows<SegmentEntry> {
  readonly #source: ChunkSource;
  readonly #sides: { readonly before: RowHashes; readonly after: RowHashes };
  /** By chunk: how many times more often the after has it. */
  readonly #chunks = new Map<string, { readonly id: ChunkId; times: number }>();
  #isTooMuch = false;

  constructor(source: ChunkSource, key: Uint8Array) {
    this.#source = source;
    this.#sides = { before: new RowHashes(key), after: new RowHashes(key) };
  }

  /** A segment as it was and as it is; either may be missing. */
  async add({ before, after }: SegmentPair): Promise<void> {
    const shared = before && after && sharedLayers(before, after);
    if (shared === 'before') await this.#addLater({ older: before!, newer: after!, newerSide: 'after' });
    else if (shared === 'after') await this.#addLater({ older: after!, newer: before!, newerSide: 'before' });
    else {
      if (before) await this.#addWhole('before', before);
      if (after) await this.#addWhole('after', after);
    }
  }

  /** The newer state is the older one with more deltas: only what those added and took away is looked at. */
  async #addLater({ older, newer, newerSide }: LaterSegment): Promise<void> {
    if (this.#isTooMuch) return;
    const layers = await readLayers(this.#source, newer);
    const olderLayers = layers.slice(0, 1 + older.deltas.length);
    const gone = rowsOnlyOf(older, { of: olderLayers, but: layers });
    const come = rowsOnlyOf(newer, { of: layers, but: olderLayers });
    const olderSide = newerSide === 'after' ? 'before' : 'after';
    if (gone) await this.#read(olderSide, layeredRows(this.#source, older, gone));
    if (come) await this.#read(newerSide, layeredRows(this.#source, newer, come));
  }

  async #addWhole(side: 'before' | 'after', segment: SegmentEntry): Promise<void> {
    if (this.#isTooMuch) return;
    if (segment.deltas.length > 0 || !(await this.#addChunks(side, segment)))
      await this.#read(side, segmentRows(this.#source, segment));
  }

  /** undefined: too many rows differ to be counted. */
  async counts(): Promise<RowCounts | undefined> {
    for (const { id, times } of this.#chunks.values()) {
      for (let i = 0; i < Math.abs(times) && !this.#isTooMuch; i += 1)
        await this.#read(times < 0 ? 'before' : 'after', [await this.#source.get(id, 'data')]);
    }
    if (this.#isTooMuch) return undefined;
    return countUnequal(this.#sides.before.sorted(), this.#sides.after.sorted());
  }

  /** False, and nothing is added, where chunks may not hold whole rows. */
  async #addChunks(side: 'before' | 'after', { rows }: SegmentEntry): Promise<boolean> {
    const extents: Extract<Extent, { kind: 'chunk' }>[] = [];
    for await (const extent of extentsOf(this.#source, rows)) {
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

  async #read(
    side: 'before' | 'after',
    parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void> {
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
}

interface SegmentPair {
  readonly before?: SegmentEntry | undefined;
  readonly after?: SegmentEntry | undefined;
}

interface LaterSegment {
  readonly older: SegmentEntry;
  readonly newer: SegmentEntry;
  readonly newerSide: 'before' | 'after';
}

/** Which of two states of a segment the other one only adds deltas to, if either. */
function sharedLayers(before: SegmentEntry, after: SegmentEntry): 'before' | 'after' | undefined {
  const isBaseShared =
    before.baseBlocks === after.baseBlocks &&
    sameContent(before.rows, after.rows) &&
    sameContent(before.ctids, after.ctids);
  const [older, newer] = before.deltas.length <= after.deltas.length ? [before, after] : [after, before];
  const areShared = older.deltas.every((delta, i) => {
    const other = newer.deltas[i]!;
    return (
      sameContent(delta.rows, other.rows) &&
      sameContent(delta.ctids, other.ctids) &&
      sameContent(delta.live, other.live)
    );
  });
  return isBaseShared && areShared ? (older === before ? 'before' : 'after') : undefined;
}

/**
 * Layers that stand for the rows that are live under `of` and not under `but`, of two sequences of layers that begin
 * alike. Layers that have none of them are left out, so that they are not read. Undefined where there are none.
 */
function rowsOnlyOf(
  segment: SegmentEntry,
  { of, but }: { readonly of: readonly Layer[]; readonly but: readonly Layer[] },
): Layer[] | undefined {
  const others = new Set<string>();
  const live = new Map<number, readonly number[]>();
  const used = new Set<number>();
  const shared = Math.min(of.length, but.length);
  const more = [...of.slice(shared), ...but.slice(shared)];
  for (let block = segment.first; block < segment.first + segment.blocks; block += 1) {
    live.set(block, []);
    if (!more.some(layer => layer.live.has(block))) continue; // the same in both
    others.clear();
    for (const offset of liveOffsets(but, block)) others.add(`${layerOf(but, block, offset)} ${offset}`);
    const only = liveOffsets(of, block).filter(offset => {
      const layer = layerOf(of, block, offset);
      if (others.has(`${layer} ${offset}`)) return false;
      used.add(layer);
      return true;
    });
    live.set(block, only);
  }
  if (used.size === 0) return undefined;
  const none: Layer = { rows: { length: 0, extents: [] }, count: 0, places: new Map(), live: new Map() };
  return [...of.map((layer, i) => (used.has(i) ? { ...layer, live: none.live } : none)), { ...none, live }];
}

/** The newest layer that has a row at that place. */
const layerOf = (layers: readonly Layer[], block: number, offset: number): number =>
  layers.findLastIndex(({ places }) => places.get(block)?.offsets.includes(offset));

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
