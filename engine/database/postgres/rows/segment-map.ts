import type { RowDigest } from '../../digest.ts';

/** Where the live rows of a segment are, and their hashes: enough to tell what a change takes out of its digest. */
export interface SegmentMap {
  /** Live rows of each block of the segment. */
  readonly counts: Uint16Array;
  /** Of each row, block by block, ascending. */
  readonly offsets: Uint16Array;
  /** Of each row: the hash's low half, then its high half. */
  readonly hashes: Uint32Array;
  /** Rows that the base has, live or not. */
  readonly baseRows: number;
}

const rowsFirst = 4096;

/** Takes rows in the order of the heap: the place, then the hash. */
export class SegmentMapBuilder {
  readonly #first: number;
  readonly #counts: Uint16Array;
  #offsets = new Uint16Array(rowsFirst);
  #hashes = new Uint32Array(2 * rowsFirst);
  #placed = 0;
  #hashed = 0;

  constructor(range: { readonly first: number; readonly blocks: number }) {
    this.#first = range.first;
    this.#counts = new Uint16Array(range.blocks);
  }

  place(block: number, offset: number): void {
    if (this.#placed === this.#offsets.length) this.#grow();
    this.#offsets[this.#placed++] = offset;
    this.#counts[block - this.#first]! += 1;
  }

  hash(low: number, high: number): void {
    this.#hashes[2 * this.#hashed] = low;
    this.#hashes[2 * this.#hashed + 1] = high;
    this.#hashed += 1;
  }

  /** Without a number: every row given is the base's. */
  finish(baseRows = this.#placed): SegmentMap {
    if (this.#placed !== this.#hashed)
      throw new RangeError(`Cannot map rows: ${this.#placed} places, ${this.#hashed} hashes`);
    return {
      counts: this.#counts,
      offsets: this.#offsets.slice(0, this.#placed),
      hashes: this.#hashes.slice(0, 2 * this.#placed),
      baseRows,
    };
  }

  #grow(): void {
    const offsets = new Uint16Array(2 * this.#offsets.length);
    offsets.set(this.#offsets);
    this.#offsets = offsets;
    const hashes = new Uint32Array(2 * offsets.length);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
  }
}

const mask64 = 2n ** 64n - 1n;

/** What the rows of a map add up to. Exact: a segment has less than 2²¹ rows. */
export function digestOfMap(map: Pick<SegmentMap, 'hashes'>): RowDigest {
  let low = 0;
  let high = 0;
  for (let i = 0; i < map.hashes.length; i += 2) {
    low += map.hashes[i]!;
    high += map.hashes[i + 1]!;
  }
  return { rows: map.hashes.length / 2, sum: (BigInt(low) + (BigInt(high) << 32n)) & mask64 };
}

const mapVersion = 1;
const headBytes = 16;

/** For the cache of this machine: version, blocks, rows, base rows; hashes, counts, offsets as the machine has them. */
export function encodeMap(map: SegmentMap): Uint8Array {
  const { counts, offsets, hashes, baseRows } = map;
  return Buffer.concat(
    [Uint32Array.of(mapVersion, counts.length, offsets.length, baseRows), hashes, counts, offsets].map(
      part => new Uint8Array(part.buffer, part.byteOffset, part.byteLength),
    ),
  );
}

/** Undefined where the bytes are no map of so many blocks. */
export function decodeMap(bytes: Uint8Array, blocks: number): SegmentMap | undefined {
  if (bytes.length < headBytes) return undefined;
  const { buffer } = new Uint8Array(bytes); // a copy begins where numbers may begin
  const [version, mapBlocks, rows, baseRows] = new Uint32Array(buffer, 0, headBytes / 4);
  if (version !== mapVersion || mapBlocks !== blocks) return undefined;
  if (bytes.length !== headBytes + 10 * rows! + 2 * blocks) return undefined;
  const map: SegmentMap = {
    hashes: new Uint32Array(buffer, headBytes, 2 * rows!),
    counts: new Uint16Array(buffer, headBytes + 8 * rows!, blocks),
    offsets: new Uint16Array(buffer, headBytes + 8 * rows! + 2 * blocks, rows!),
    baseRows: baseRows!,
  };
  let counted = 0;
  for (const count of map.counts) counted += count;
  return counted === rows ? map : undefined;
}
