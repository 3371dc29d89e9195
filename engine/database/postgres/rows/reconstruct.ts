import type { ChunkSource, Content } from '../../../../store/index.ts';
import { readContent } from '../../../ingest/index.ts';
import type { SegmentEntry } from '../entries/segment-entry.ts';
import { damagedSegment, type Layer, liveRuns, type Run, readLayers } from './layers.ts';

/**
 * The rows that a segment stands for, as COPY text, in heap order: for every live place the newest delta's row, else the
 * base's. Split anywhere; nobody writes into a buffer later, so it may be kept. STORE_DAMAGED where the parts do not fit
 * together.
 */
export async function* segmentRows(source: ChunkSource, segment: SegmentEntry): AsyncGenerator<Uint8Array> {
  if (segment.deltas.length === 0) {
    yield* contentParts(source, segment.rows);
    return;
  }
  yield* layeredRows(source, segment, await readLayers(source, segment));
}

/** The same for a segment whose layers were read already, with its base alone, too. */
export async function* layeredRows(
  source: ChunkSource,
  segment: Pick<SegmentEntry, 'first' | 'blocks'>,
  layers: readonly Layer[],
): AsyncGenerator<Uint8Array> {
  const cursors = layers.map(layer => new RowCursor(contentParts(source, layer.rows)));
  const output = new Output();
  for (const run of liveRuns(segment, layers)) {
    const cursor = cursors[run.layer]!;
    while (!cursor.take(run, output)) {
      yield* output.full();
      await cursor.pull();
    }
    if (output.isFull) yield* output.full();
  }
  yield* output.rest();
  for (const [i, cursor] of cursors.entries()) await cursor.end(layers[i]!.count);
}

/** Row bytes of a content in order. */
async function* contentParts(source: ChunkSource, content: Content): AsyncGenerator<Uint8Array> {
  for await (const part of readContent(source, content)) {
    if (part.kind === 'hole') throw damagedSegment('there is a hole in them');
    yield part.bytes;
  }
}

const outputBytes = 64 * 1024;

/** Gathers rows: handing on each by itself would take longer than finding it. */
class Output {
  #full: Buffer[] = [];
  #buffer = Buffer.allocUnsafe(outputBytes);
  #length = 0;

  get isFull(): boolean {
    return this.#full.length > 0;
  }

  /** Copies bytes[from, to). */
  add(bytes: Buffer, from: number, to: number): void {
    for (let at = from; at < to; ) {
      const copied = bytes.copy(this.#buffer, this.#length, at, to);
      at += copied;
      this.#length += copied;
      if (this.#length < outputBytes) return;
      this.#full.push(this.#buffer);
      this.#buffer = Buffer.allocUnsafe(outputBytes);
      this.#length = 0;
    }
  }

  full(): readonly Uint8Array[] {
    const buffers = this.#full;
    if (buffers.length > 0) this.#full = [];
    return buffers;
  }

  rest(): readonly Uint8Array[] {
    const last = this.#buffer.subarray(0, this.#length);
    return last.length === 0 ? this.full() : [...this.full(), last];
  }
}

const newline = 10;

/** Reads rows by ascending number out of a stream of them. */
class RowCursor {
  readonly #parts: AsyncIterator<Uint8Array>;
  #part: Buffer = Buffer.alloc(0);
  #at = 0;
  /** Number of the row that #at is in. */
  #row = 0;

  constructor(parts: AsyncIterable<Uint8Array>) {
    this.#parts = parts[Symbol.asyncIterator]();
  }

  /**
   * Puts the rows of a run out, as far as they are at hand. False: another part is needed, then the same run again.
   * Runs come in ascending order, since every layer is in the order of the heap.
   */
  take(run: Run, output: Output): boolean {
    if (!this.#moveTo(run.from)) return false;
    const start = this.#at;
    const isWhole = this.#moveTo(run.from + run.count);
    if (this.#at > start) output.add(this.#part, start, this.#at);
    return isWhole;
  }

  /** Gets the next part, when the one at hand is used up. */
  async pull(): Promise<void> {
    const pulled = await this.#parts.next();
    if (pulled.done) throw damagedSegment('there are too few');
    const { buffer, byteOffset, length } = pulled.value;
    this.#part = Buffer.from(buffer, byteOffset, length);
    this.#at = 0;
  }

  /** Checks that there were as many rows as places. */
  async end(count: number): Promise<void> {
    while (!this.#moveTo(count)) await this.pull();
    if (this.#at < this.#part.length || !(await this.#parts.next()).done)
      throw damagedSegment('there are too many');
  }

  /** Goes to where a row begins; false when the part ends before. A row under way counts as the row before. */
  #moveTo(row: number): boolean {
    while (this.#row < row) {
      const found = this.#part.indexOf(newline, this.#at);
      if (found < 0) {
        this.#at = this.#part.length;
        return false;
      }
      this.#at = found + 1;
      this.#row += 1;
    }
    return true;
  }
}
