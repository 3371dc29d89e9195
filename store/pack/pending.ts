import { ChunkTable } from '../chunk-index/table.ts';
import { copyBytes } from '../copy-bytes.ts';
import type { ChunkId } from '../ids.ts';
import { type ObjectSeal, sealLeadBytes } from '../seal/index.ts';
import type { Cell } from './cells.ts';
import type { Codec } from './row.ts';
import type { FrameChunks } from './sealing.ts';

/** A frame that is in no published pack yet. Its content lies in a cell, with room for a seal around it. */
export class PendingFrame {
  cell: Cell;
  codec: Codec = 'raw';
  /** What the content takes in the cell, before sealing. */
  bytes = 0;
  rawBytes = 0;
  /** Somebody works in the cell: nobody else may look at it. */
  isBusy = false;
  sealed: { readonly proof: ObjectSeal; readonly ordinal: number } | undefined;
  #ids: Uint8Array;
  #lengths: Uint32Array;
  #count = 0;

  constructor(cell: Cell, chunks: number) {
    this.cell = cell;
    this.#ids = new Uint8Array(32 * chunks);
    this.#lengths = new Uint32Array(chunks);
  }

  /** Copies a chunk to the end of the content. */
  append(id: ChunkId, chunk: Uint8Array): void {
    const { block, at } = this.cell;
    copyBytes(chunk, block.bytes, at + sealLeadBytes + this.rawBytes);
    this.rawBytes += chunk.length;
    this.bytes = this.rawBytes;
    if (this.#count === this.#lengths.length) this.#grow();
    this.#ids.set(id, 32 * this.#count);
    this.#lengths[this.#count++] = chunk.length;
  }

  get chunks(): FrameChunks {
    return { ids: this.#ids.subarray(0, 32 * this.#count), lengths: this.#lengths.subarray(0, this.#count) };
  }

  #grow(): void {
    const [ids, lengths] = [new Uint8Array(2 * this.#ids.length), new Uint32Array(2 * this.#lengths.length)];
    ids.set(this.#ids);
    lengths.set(this.#lengths);
    this.#ids = ids;
    this.#lengths = lengths;
  }
}

/** Which chunks are in frames that are not published yet, and where. */
export class PendingChunks {
  readonly #table = new ChunkTable();
  readonly #frames: (PendingFrame | undefined)[] = [];
  readonly #numbers = new Map<PendingFrame, number>();
  readonly #free: number[] = [];

  has(id: ChunkId): boolean {
    return this.#table.has(id);
  }

  /** Copies a chunk that is not there yet into a frame. */
  add(frame: PendingFrame, id: ChunkId, bytes: Uint8Array): void {
    this.#table.add(id, { frame: this.#numberOf(frame), offset: frame.rawBytes, length: bytes.length });
    frame.append(id, bytes);
  }

  find(
    id: ChunkId,
  ): { readonly frame: PendingFrame; readonly offset: number; readonly length: number } | undefined {
    const number = this.#table.find(id);
    if (number < 0) return undefined;
    const slot = this.#table.slotAt(number);
    return { ...slot, frame: this.#frames[slot.frame]! };
  }

  /** The frame's chunks are somebody else's to find now. */
  forget(frame: PendingFrame): void {
    const { ids } = frame.chunks;
    for (let at = 0; at < ids.length; at += 32) this.#table.remove(ids.subarray(at, at + 32));
    const number = this.#numbers.get(frame);
    if (number === undefined) return;
    this.#numbers.delete(frame);
    this.#frames[number] = undefined;
    this.#free.push(number);
  }

  #numberOf(frame: PendingFrame): number {
    let number = this.#numbers.get(frame);
    if (number !== undefined) return number;
    number = this.#free.pop() ?? this.#frames.length;
    this.#numbers.set(frame, number);
    this.#frames[number] = frame;
    return number;
  }
}
