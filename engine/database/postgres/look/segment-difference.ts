import { type ChunkSource, sameContent } from '../../../../store/index.ts';
import type { CountsRows, RowCounts } from '../../changed-tables.ts';
import { RowDifference, type Side } from '../../row-difference.ts';
import type { SegmentEntry } from '../entries/segment-entry.ts';
import { type Layer, liveOffsets, readLayers } from '../rows/layers.ts';
import { layeredRows, segmentRows } from '../rows/reconstruct.ts';

/** Counts the rows that differ between the changed segments of a table. */
export class SegmentDifference implements CountsRows<SegmentEntry> {
  readonly #source: ChunkSource;
  readonly #rows: RowDifference;

  constructor(source: ChunkSource, key: Uint8Array) {
    this.#source = source;
    this.#rows = new RowDifference(source, key);
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

  counts(): Promise<RowCounts | undefined> {
    return this.#rows.counts();
  }

  /** The newer state is the older one with more deltas: only what those added and took away is looked at. */
  async #addLater({ older, newer, newerSide }: LaterSegment): Promise<void> {
    if (this.#rows.isTooMuch) return;
    const layers = await readLayers(this.#source, newer);
    const olderLayers = layers.slice(0, 1 + older.deltas.length);
    const gone = rowsOnlyOf(older, { of: olderLayers, but: layers });
    const come = rowsOnlyOf(newer, { of: layers, but: olderLayers });
    const olderSide = newerSide === 'after' ? 'before' : 'after';
    if (gone) await this.#rows.addRows(olderSide, layeredRows(this.#source, older, gone));
    if (come) await this.#rows.addRows(newerSide, layeredRows(this.#source, newer, come));
  }

  async #addWhole(side: Side, segment: SegmentEntry): Promise<void> {
    const read = () => segmentRows(this.#source, segment);
    if (segment.deltas.length === 0) await this.#rows.addContent(side, segment.rows, read);
    else if (!this.#rows.isTooMuch) await this.#rows.addRows(side, read());
  }
}

interface SegmentPair {
  readonly before?: SegmentEntry | undefined;
  readonly after?: SegmentEntry | undefined;
}

interface LaterSegment {
  readonly older: SegmentEntry;
  readonly newer: SegmentEntry;
  readonly newerSide: Side;
}

/** Which of two states of a segment the other one only adds deltas to, if either. */
function sharedLayers(before: SegmentEntry, after: SegmentEntry): Side | undefined {
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
