import { storeError } from '../../../../store/index.ts';

/** A heap page of 8 KiB holds 291 rows at most; offsets count from 1. */
export const rowsPerBlockMax = 291;
/** One bit for each offset of a block. */
const bitmapBytes = 37;
/** u32 block, bitmap. */
export const liveRecordBytes = 4 + bitmapBytes;

/** Blocks in ascending order, not all of which need follow each other. */
export type BlockList = { readonly first: number; readonly blocks: number } | readonly number[];

/**
 * Where rows were in the heap, apart from the rows themselves. For each of some blocks in turn, empty ones included:
 * varint count, then for each row a varint of its offset less the one before (the first: less 0). Unsigned LEB128.
 */
export class CtidEncoder {
  readonly #blockAt: (place: number) => number;
  readonly #blocks: number;
  /** The place among the blocks of the one whose rows are being collected. */
  #at = 0;
  #offsets: number[] = [];
  #bytes = new Uint8Array(4096);
  #length = 0;

  constructor(blocks: BlockList) {
    if ('first' in blocks) {
      this.#blockAt = place => blocks.first + place;
      this.#blocks = blocks.blocks;
    } else {
      this.#blockAt = place => blocks[place] ?? Number.POSITIVE_INFINITY;
      this.#blocks = blocks.length;
    }
  }

  /** Rows in ascending order. RangeError outside the blocks, or out of order: the server did not read as asked. */
  add(block: number, offset: number): void {
    while (this.#at < this.#blocks && this.#blockAt(this.#at) < block) this.#endBlock();
    if (this.#at >= this.#blocks || this.#blockAt(this.#at) !== block) throw outOfOrder(block, offset);
    const before = this.#offsets.at(-1) ?? 0;
    if (offset <= before || offset > rowsPerBlockMax) throw outOfOrder(block, offset);
    this.#offsets.push(offset);
  }

  /** The bytes of all blocks. The encoder is of no use afterwards. */
  finish(): Uint8Array {
    while (this.#at < this.#blocks) this.#endBlock();
    return this.#bytes.subarray(0, this.#length);
  }

  #endBlock(): void {
    this.#varint(this.#offsets.length);
    let before = 0;
    for (const offset of this.#offsets) {
      this.#varint(offset - before);
      before = offset;
    }
    this.#offsets.length = 0;
    this.#at += 1;
  }

  /** Values up to rowsPerBlockMax: two bytes at most. */
  #varint(value: number): void {
    if (this.#length + 2 > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    if (value >= 0x80) {
      this.#bytes[this.#length++] = (value & 0x7f) | 0x80;
      this.#bytes[this.#length++] = value >>> 7;
    } else {
      this.#bytes[this.#length++] = value;
    }
  }
}

function outOfOrder(block: number, offset: number): RangeError {
  return new RangeError(
    `Cannot place row (${block},${offset}): not after the one before, or in no block that was asked for`,
  );
}

/** No encoding of so many blocks is longer. */
export const ctidsBytesMax = (blocks: number): number => blocks * 2 * (1 + rowsPerBlockMax);

/** Offsets of the rows of each block in turn. STORE_DAMAGED where the bytes are no such encoding of `blocks` blocks. */
export function* decodeCtids(bytes: Uint8Array, blocks: number): Generator<readonly number[]> {
  let at = 0;
  const varint = (): number => {
    const low = bytes[at++];
    if (low === undefined) throw damagedCtids('they end too early');
    if (low < 0x80) return low;
    const high = bytes[at++];
    if (high === undefined || high === 0 || high >= 0x80) throw damagedCtids('a number is too long');
    return (low & 0x7f) | (high << 7);
  };
  for (let block = 0; block < blocks; block += 1) {
    const offsets: number[] = [];
    const count = varint();
    let offset = 0;
    for (let i = 0; i < count; i += 1) {
      const step = varint();
      offset += step;
      if (step === 0 || offset > rowsPerBlockMax) throw damagedCtids(`block ${block} has no such row`);
      offsets.push(offset);
    }
    yield offsets;
  }
  if (at !== bytes.length) throw damagedCtids('bytes are left over');
}

/** The rows of one block that are still there. */
export interface LiveBlock {
  /** Number in the heap, not in the segment. */
  readonly block: number;
  /** Ascending. */
  readonly offsets: readonly number[];
}

/**
 * Live rows of the blocks that a delta touched, in ascending order: u32 block (little-endian), then 37 bytes in which
 * bit (offset - 1) mod 8 of byte (offset - 1) div 8 is set for each row that is still there.
 */
export function encodeLive(blocks: readonly LiveBlock[]): Uint8Array {
  const bytes = new Uint8Array(blocks.length * liveRecordBytes);
  const view = new DataView(bytes.buffer);
  let before = -1;
  for (const [i, { block, offsets }] of blocks.entries()) {
    if (block <= before) throw new RangeError(`Cannot encode live rows: block ${block} is out of order`);
    before = block;
    const at = i * liveRecordBytes;
    view.setUint32(at, block, true);
    for (const offset of offsets) {
      if (offset < 1 || offset > rowsPerBlockMax)
        throw new RangeError(`Cannot encode live rows: (${block},${offset}) is no row of a heap`);
      const byte = at + 4 + ((offset - 1) >>> 3);
      bytes[byte] = bytes[byte]! | (1 << ((offset - 1) & 7));
    }
  }
  return bytes;
}

/** The reverse; STORE_DAMAGED for anything that encodeLive does not write. */
export function decodeLive(bytes: Uint8Array): LiveBlock[] {
  if (bytes.length % liveRecordBytes !== 0) throw damagedLive('their length fits no number of blocks');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const blocks: LiveBlock[] = [];
  for (let at = 0; at < bytes.length; at += liveRecordBytes) {
    const block = view.getUint32(at, true);
    if (block <= (blocks.at(-1)?.block ?? -1)) throw damagedLive(`block ${block} is out of order`);
    const offsets: number[] = [];
    for (let bit = 0; bit < bitmapBytes * 8; bit += 1)
      if ((bytes[at + 4 + (bit >>> 3)]! >>> (bit & 7)) & 1) offsets.push(bit + 1);
    if ((offsets.at(-1) ?? 0) > rowsPerBlockMax) throw damagedLive(`block ${block} has too many rows`);
    blocks.push({ block, offsets });
  }
  return blocks;
}

function damagedCtids(found: string): Error {
  return storeError('STORE_DAMAGED', `Cannot decode the places of rows: ${found}`);
}

function damagedLive(found: string): Error {
  return storeError('STORE_DAMAGED', `Cannot decode live rows: ${found}`);
}
