import type { ChunkClass } from '../content.ts';
import type { PackId } from '../ids.ts';
import {
  type Codec,
  chunkCount,
  chunkKeyAt,
  chunkRowBytes,
  frameCount,
  frameRowBytes,
  framesStartBytes,
  type PackRow,
  viewOf,
} from '../pack/row.ts';
import { packBytesOf } from '../pack/trailer.ts';
import type { Masks } from './masks.ts';
import { ChunkTable, type Slot } from './table.ts';

/** Where a frame lies. */
export interface FramePlace {
  /** Unique within one index; no number of the format. */
  readonly frame: number;
  readonly pack: PackId;
  readonly chunkClass: ChunkClass;
  /** Its position in the pack, from 0. */
  readonly ordinal: number;
  /** From the start of the pack. */
  readonly sealedOffset: number;
  readonly sealedBytes: number;
  readonly rawBytes: number;
  readonly codec: Codec;
}

/** Where a copy of a chunk lies: a frame, and the place in it. */
export interface ChunkPlace extends FramePlace {
  readonly offset: number;
  readonly length: number;
}

interface PackSpan {
  readonly pack: PackId;
  readonly chunkClass: ChunkClass;
  readonly firstFrame: number;
  readonly bytes: number;
}

const frameWords = 3;
const firstFrames = 64;
const zstdBit = 0x80000000;

/** The chunks of many packs. 28 bytes a slot at up to 3/4 load, and 12 a frame. */
export class ChunkIndex {
  readonly #chunks: ChunkTable;
  readonly #packs: PackSpan[] = [];
  readonly #byName = new Map<PackId, number>();
  readonly #badFrames = new Set<number>();
  readonly #doubtful = new Set<PackId>();
  readonly #masks: Masks | undefined;
  /** Asked for every chunk of an unchanged home: so they are made once. */
  readonly #isGoodOf: Readonly<Record<ChunkClass, (frame: number) => boolean>> = {
    data: frame => this.#isGood(frame, 'data'),
    metadata: frame => this.#isGood(frame, 'metadata'),
  };
  #frames = new Uint32Array(firstFrames * frameWords);
  #frameCount = 0;

  /** Where about so many copies are expected it need not grow, for which the old table and the new are there at once. */
  constructor(masks?: Masks, expected = 0) {
    this.#masks = masks;
    this.#chunks = new ChunkTable(expected);
  }

  /** Copies of chunks. */
  get chunks(): number {
    return this.#chunks.size;
  }

  get packs(): number {
    return this.#packs.length;
  }

  /** About what it takes in memory. */
  get bytes(): number {
    return this.#chunks.bytes + this.#frames.byteLength;
  }

  hasPack(pack: PackId): boolean {
    return this.#byName.has(pack);
  }

  /** Adds what a checked row lists; a pack that is there already, or was swept, is left out: false. */
  addPack(row: PackRow): boolean {
    if (this.#byName.has(row.pack) || this.#masks?.isSwept(row.pack)) return false;
    this.#byName.set(row.pack, this.#packs.length);
    const { pack, chunkClass } = row;
    this.#packs.push({ pack, chunkClass, firstFrame: this.#frameCount, bytes: packBytesOf(row) });
    const isDoomed = this.#masks?.isTombstoned(pack) === true;
    const frames = viewOf(row.frames);
    const chunks = viewOf(row.chunks);
    let position = 0;
    let sealedOffset = framesStartBytes;
    for (let ordinal = 0; ordinal < frameCount(row); ordinal++) {
      const at = ordinal * frameRowBytes;
      const frame = this.#addFrame(sealedOffset, frames.getUint32(at, true), {
        rawBytes: frames.getUint32(at + 4, true),
        isZstd: frames.getUint8(at + 8) === 1,
      });
      if (isDoomed || this.#masks?.isDamaged(row.pack, ordinal)) this.#badFrames.add(frame);
      sealedOffset += frames.getUint32(at, true);
      let offset = 0;
      for (let left = frames.getUint32(at + 9, true); left > 0; left--, position++) {
        const length = chunks.getUint32(position * chunkRowBytes + 16, true);
        this.#chunks.add(chunkKeyAt(row, position), { frame, offset, length });
        offset += length;
      }
    }
    if (position !== chunkCount(row)) throw new RangeError(`Cannot index pack ${row.pack}: unchecked row`);
    return true;
  }

  /** Whether a copy is there that is not known bad: what a new snapshot may depend on. */
  has(id: Uint8Array): boolean {
    if (this.#badFrames.size === 0) return this.#chunks.has(id);
    return this.#chunks.copies(id).some(slot => !this.#badFrames.has(slot.frame));
  }

  /** Numbers of chunks are below it, until a pack is added. */
  get numbersEnd(): number {
    return this.#chunks.capacity;
  }

  /** A number that stands for a chunk until a pack is added; -1 when no pack has it. */
  numberOf(id: Uint8Array): number {
    return this.#chunks.find(id);
  }

  /** The first 16 bytes of the id of a chunk; undefined for a number that stands for none. */
  keyOf(number: number): Uint8Array | undefined {
    const key = this.#chunks.keyAt(number);
    return key !== undefined && this.#chunks.find(key) === number ? key : undefined;
  }

  /** Every copy, those in frames known bad last. */
  places(id: Uint8Array): ChunkPlace[] {
    const places = this.#chunks
      .copies(id)
      .map(({ frame, offset, length }) => ({ ...this.frame(frame), offset, length }));
    if (this.#badFrames.size > 0 && places.length > 1)
      places.sort((a, b) => Number(this.#badFrames.has(a.frame)) - Number(this.#badFrames.has(b.frame)));
    return places;
  }

  /** Tells of each copy which pack and frame it is in, without a place for each. */
  eachCopy(id: Uint8Array, take: (pack: PackId, frame: number) => void): void {
    this.#chunks.eachFrame(id, frame => take(this.#packs[this.#packOf(frame)]!.pack, frame));
  }

  /** The length of a chunk of which a copy is there that is not known bad. */
  lengthOf(id: Uint8Array, chunkClass: ChunkClass): number | undefined {
    return this.#chunks.lengthWhere(id, this.#isGoodOf[chunkClass]);
  }

  /** From now on nothing depends on the frame. */
  markBad(frame: number): void {
    this.#badFrames.add(frame);
  }

  /** It was read, and is whole. */
  markGood(frame: number): void {
    this.#badFrames.delete(frame);
  }

  /** Frames that are known bad. */
  badFrames(): FramePlace[] {
    return [...this.#badFrames].map(frame => this.frame(frame));
  }

  /** What is listed of the pack is the word of a host without the passphrase, and nobody else has read it. */
  doubt(pack: PackId): void {
    this.#doubtful.add(pack);
  }

  isDoubtful(pack: PackId): boolean {
    return this.#doubtful.has(pack);
  }

  isBad(frame: number): boolean {
    return this.#badFrames.has(frame);
  }

  /** A copy to begin with: the first that is not known bad. */
  placeOf(id: Uint8Array, chunkClass: ChunkClass): ChunkPlace | undefined {
    const number = this.#chunks.find(id);
    if (number < 0) return undefined;
    const isRight = ({ frame }: Slot): boolean =>
      !this.#badFrames.has(frame) && this.#packs[this.#packOf(frame)]!.chunkClass === chunkClass;
    const first = this.#chunks.slotAt(number);
    const slot = isRight(first) ? first : this.#chunks.copies(id).find(isRight);
    return slot && Object.assign(this.frame(slot.frame), { offset: slot.offset, length: slot.length });
  }

  /** The frames of a pack in their order. */
  framesOf(pack: PackId): FramePlace[] {
    const number = this.#byName.get(pack);
    if (number === undefined) return [];
    const end = this.#packs[number + 1]?.firstFrame ?? this.#frameCount;
    const frames: FramePlace[] = [];
    for (let frame = this.#packs[number]!.firstFrame; frame < end; frame++) frames.push(this.frame(frame));
    return frames;
  }

  /** Every pack that is listed, and how large it is if it is whole. */
  packSizes(): readonly { readonly pack: PackId; readonly chunkClass: ChunkClass; readonly bytes: number }[] {
    return this.#packs;
  }

  /** How large a pack is if it is whole; undefined when it is not listed. */
  bytesOf(pack: PackId): number | undefined {
    const number = this.#byName.get(pack);
    return number === undefined ? undefined : this.#packs[number]!.bytes;
  }

  frame(frame: number): FramePlace {
    const at = frame * frameWords;
    const span = this.#packs[this.#packOf(frame)]!;
    const raw = this.#frames[at + 2]!;
    return {
      frame,
      pack: span.pack,
      chunkClass: span.chunkClass,
      ordinal: frame - span.firstFrame,
      sealedOffset: this.#frames[at]!,
      sealedBytes: this.#frames[at + 1]!,
      rawBytes: (raw & ~zstdBit) >>> 0,
      codec: raw >= zstdBit ? 'zstd' : 'raw',
    };
  }

  #isGood(frame: number, chunkClass: ChunkClass): boolean {
    return this.#packs[this.#packOf(frame)]!.chunkClass === chunkClass && !this.#badFrames.has(frame);
  }

  #addFrame(
    sealedOffset: number,
    sealedBytes: number,
    { rawBytes, isZstd }: { rawBytes: number; isZstd: boolean },
  ): number {
    const at = this.#frameCount * frameWords;
    if (at === this.#frames.length) {
      // By half only: what is not used of it lies idle.
      const larger = new Uint32Array(Math.ceil(this.#frames.length / frameWords / 2) * 3 * frameWords);
      larger.set(this.#frames);
      this.#frames = larger;
    }
    this.#frames[at] = sealedOffset;
    this.#frames[at + 1] = sealedBytes;
    this.#frames[at + 2] = isZstd ? rawBytes + zstdBit : rawBytes;
    return this.#frameCount++;
  }

  /** The last pack whose first frame is not after it; packs without frames share a first frame with the next. */
  #packOf(frame: number): number {
    let low = 0;
    let high = this.#packs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#packs[middle]!.firstFrame <= frame) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
