import { type ChunkSource, type Content, storeError } from '../../../../store/index.ts';
import { contentBytes } from '../../../ingest/index.ts';
import type { SegmentEntry } from '../entries/segment-entry.ts';
import { ctidsBytesMax, decodeCtids, decodeLive, liveRecordBytes } from './ctids.ts';

/** Rows that were stored at one time: a segment's base, or one delta. */
export interface Layer {
  readonly rows: Content;
  /** How many. */
  readonly count: number;
  /** By block: the number of its first row among the layer's, and its offsets. */
  readonly places: ReadonlyMap<number, BlockPlaces>;
  /** Of a delta: live offsets of the blocks that it touched. */
  readonly live: ReadonlyMap<number, readonly number[]>;
}

interface BlockPlaces {
  readonly start: number;
  /** Ascending. */
  readonly offsets: readonly number[];
}

/** Consecutive rows of a layer that are live, in the order of the heap. */
export interface Run {
  readonly layer: number;
  /** Number of the first among the layer's rows. */
  readonly from: number;
  readonly count: number;
}

type SegmentParts = Pick<SegmentEntry, 'first' | 'blocks' | 'baseBlocks' | 'rows' | 'ctids' | 'deltas'>;

/** The base, then the deltas, oldest first. STORE_DAMAGED where the parts are no parts of one segment. */
export async function readLayers(source: ChunkSource, segment: SegmentParts): Promise<Layer[]> {
  const base = Array.from({ length: segment.baseBlocks }, (_, i) => segment.first + i);
  const layers = [await readLayer(source, { ...segment, blocks: base, live: new Map() })];
  for (const delta of segment.deltas) {
    const blocks = decodeLive(
      await contentBytes(source, delta.live, { bytesMax: segment.blocks * liveRecordBytes }),
    );
    if (blocks.length !== delta.blocks) throw damagedSegment('a delta has another number of blocks');
    const live = new Map(blocks.map(one => [one.block, one.offsets]));
    if (blocks.some(({ block }) => block < segment.first || block >= segment.first + segment.blocks))
      throw damagedSegment('a delta touches a block outside its segment');
    layers.push(await readLayer(source, { ...delta, blocks: [...live.keys()], live }));
  }
  return layers;
}

async function readLayer(
  source: ChunkSource,
  parts: {
    readonly rows: Content;
    readonly ctids: Content;
    readonly blocks: readonly number[];
    readonly live: Layer['live'];
  },
): Promise<Layer> {
  const places = new Map<number, BlockPlaces>();
  let count = 0;
  let at = 0;
  const { length: blocks } = parts.blocks;
  const ctids = await contentBytes(source, parts.ctids, { bytesMax: ctidsBytesMax(blocks) });
  for (const offsets of decodeCtids(ctids, blocks)) {
    if (offsets.length > 0) places.set(parts.blocks[at]!, { start: count, offsets });
    count += offsets.length;
    at += 1;
  }
  return { rows: parts.rows, count, places, live: parts.live };
}

const none: readonly number[] = [];

/** Live offsets of one block: those of the newest delta that has it, else the base's. */
export function liveOffsets(layers: readonly Layer[], block: number): readonly number[] {
  for (let i = layers.length - 1; i > 0; i -= 1) {
    const live = layers[i]!.live.get(block);
    if (live) return live;
  }
  return layers[0]!.places.get(block)?.offsets ?? none;
}

/** Where every live row is, block by block; neighbours joined. STORE_DAMAGED where one is nowhere. */
export function* liveRuns(
  segment: Pick<SegmentEntry, 'first' | 'blocks'>,
  layers: readonly Layer[],
): Generator<Run> {
  const owners = new Owners();
  let run: { layer: number; from: number; count: number } | undefined;
  for (let block = segment.first; block < segment.first + segment.blocks; block += 1) {
    const offsets = liveOffsets(layers, block);
    if (offsets.length === 0) continue;
    owners.set(layers, block);
    for (const offset of offsets) {
      const layer = owners.layerOf(offset);
      if (layer < 0) throw damagedSegment(`the row at (${block},${offset}) is nowhere`);
      const row = owners.rowOf(offset);
      if (run && run.layer === layer && run.from + run.count === row) {
        run.count += 1;
        continue;
      }
      if (run) yield run;
      run = { layer, from: row, count: 1 };
    }
  }
  if (run) yield run;
}

const offsetsMax = 512;

/** Who has the newest row at each place of one block. Made once, since there are many blocks. */
class Owners {
  readonly #layers = new Int32Array(offsetsMax);
  readonly #rows = new Uint32Array(offsetsMax);

  set(layers: readonly Layer[], block: number): void {
    this.#layers.fill(-1);
    for (let layer = 0; layer < layers.length; layer += 1) {
      const places = layers[layer]!.places.get(block);
      if (!places) continue;
      const { start, offsets } = places;
      for (let i = 0; i < offsets.length; i += 1) {
        this.#layers[offsets[i]!] = layer;
        this.#rows[offsets[i]!] = start + i;
      }
    }
  }

  /** -1: nobody. */
  layerOf(offset: number): number {
    return this.#layers[offset] ?? -1;
  }

  rowOf(offset: number): number {
    return this.#rows[offset]!;
  }
}

export function damagedSegment(found: string): Error {
  return storeError('STORE_DAMAGED', `Cannot read the rows of a segment: ${found}`);
}
