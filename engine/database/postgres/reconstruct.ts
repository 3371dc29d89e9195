import { type ChunkSource, type Content, storeError } from '../../../store/index.ts';
import { contentBytes, readContent } from '../../ingest/index.ts';
import { decodeCtids, decodeLive } from './ctids.ts';
import type { SegmentEntry } from './segment-entry.ts';

/**
 * The rows that a segment stands for, as COPY text, in heap order: for every live place the newest delta's row, else the
 * base's. Buffers are the receiver's own and split anywhere. STORE_DAMAGED where the parts do not fit together.
 */
export async function* segmentRows(source: ChunkSource, segment: SegmentEntry): AsyncGenerator<Uint8Array> {
  if (segment.deltas.length === 0) {
    for await (const bytes of contentParts(source, segment.rows)) yield Buffer.from(bytes);
    return;
  }
  const layers = await readLayers(source, segment);
  const cursors = layers.map(layer => new RowCursor(contentParts(source, layer.rows)));
  for (const { layer, row } of livePlaces(segment, layers)) yield await cursors[layer]!.read(row);
  for (const [i, cursor] of cursors.entries()) await cursor.end(layers[i]!.count);
}

/** Row bytes of a content in order. Valid until the next pull. */
async function* contentParts(source: ChunkSource, content: Content): AsyncGenerator<Uint8Array> {
  for await (const part of readContent(source, content)) {
    if (part.kind === 'hole') throw damaged('there is a hole in them');
    yield part.bytes;
  }
}

/** The base, or one delta. */
interface Layer {
  readonly rows: Content;
  /** Number of the row at a place, among the layer's rows; places as block · 512 + offset. */
  readonly numbers: ReadonlyMap<number, number>;
  readonly count: number;
  /** Of a delta: live offsets of the blocks that it touched. */
  readonly live: ReadonlyMap<number, readonly number[]>;
}

const offsetsMax = 512;

async function readLayers(source: ChunkSource, segment: SegmentEntry): Promise<Layer[]> {
  const base = Array.from({ length: segment.blocks }, (_, i) => segment.first + i);
  const layers = [await readLayer(source, { ...segment, blocks: base, live: new Map() })];
  for (const delta of segment.deltas) {
    const blocks = decodeLive(await contentBytes(source, delta.live));
    if (blocks.length !== delta.blocks) throw damaged('a delta has another number of blocks');
    const live = new Map(blocks.map(one => [one.block, one.offsets]));
    if (blocks.some(({ block }) => block < segment.first || block >= segment.first + segment.blocks))
      throw damaged('a delta touches a block outside its segment');
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
  const numbers = new Map<number, number>();
  let at = 0;
  for (const offsets of decodeCtids(await contentBytes(source, parts.ctids), parts.blocks.length)) {
    for (const offset of offsets) numbers.set(parts.blocks[at]! * offsetsMax + offset, numbers.size);
    at += 1;
  }
  return { rows: parts.rows, numbers, count: numbers.size, live: parts.live };
}

/** Every live place in heap order, with the layer that has its row and the row's number there. */
function* livePlaces(
  segment: SegmentEntry,
  layers: readonly Layer[],
): Generator<{ readonly layer: number; readonly row: number }> {
  for (let block = segment.first; block < segment.first + segment.blocks; block += 1) {
    const touched = layers.findLast(layer => layer.live.has(block));
    const offsets = touched?.live.get(block) ?? offsetsOf(layers[0]!, block);
    for (const offset of offsets) {
      const place = block * offsetsMax + offset;
      const layer = layers.findLastIndex(one => one.numbers.has(place));
      if (layer < 0) throw damaged(`the row at (${block},${offset}) is nowhere`);
      yield { layer, row: layers[layer]!.numbers.get(place)! };
    }
  }
}

function offsetsOf(base: Layer, block: number): number[] {
  const offsets: number[] = [];
  for (let offset = 1; offset < offsetsMax; offset += 1)
    if (base.numbers.has(block * offsetsMax + offset)) offsets.push(offset);
  return offsets;
}

const newline = 10;

/** Reads rows by ascending number out of a stream of them. */
class RowCursor {
  readonly #parts: AsyncIterator<Uint8Array>;
  #part: Uint8Array = new Uint8Array();
  #at = 0;
  #next = 0;

  constructor(parts: AsyncIterable<Uint8Array>) {
    this.#parts = parts[Symbol.asyncIterator]();
  }

  /** The row with its newline. Asked for in ascending order, since every layer is in heap order. */
  async read(number: number): Promise<Uint8Array> {
    while (this.#next < number) await this.#row(false);
    return this.#row(true);
  }

  /** Checks that there were as many rows as places. */
  async end(count: number): Promise<void> {
    while (this.#next < count) await this.#row(false);
    if (this.#at < this.#part.length || !(await this.#parts.next()).done) throw damaged('there are too many');
  }

  async #row(isWanted: boolean): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for (;;) {
      const found = this.#part.indexOf(newline, this.#at);
      const to = found < 0 ? this.#part.length : found + 1;
      if (isWanted && to > this.#at) pieces.push(this.#part.slice(this.#at, to));
      this.#at = to;
      if (found >= 0) {
        this.#next += 1;
        return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
      }
      const pulled = await this.#parts.next();
      if (pulled.done) throw damaged('there are too few');
      this.#part = pulled.value;
      this.#at = 0;
    }
  }
}

function damaged(found: string): Error {
  return storeError('STORE_DAMAGED', `Cannot read the rows of a segment: ${found}`);
}
