/**
 * Memory in which packs are made: worker threads see it without a copy, and it is used over and over, since memory that
 * is new costs a page fault every 4 KiB.
 */
interface Block {
  readonly buffer: SharedArrayBuffer;
  readonly bytes: Uint8Array;
  /** Of it in use. */
  cells: number;
}

/** A run of bytes of a block. */
export interface Cell {
  readonly block: Block;
  /** From the start of the block. */
  readonly at: number;
  readonly length: number;
}

/** A small session takes little; the largest chunk of the default sizes, with its seal, fits into a full block. */
const firstBlockBytes = 640 * 1024;
const blockBytes = 8 * 1024 * 1024 + 64 * 1024;

/** The blocks of one writer. */
export class BlockPool {
  readonly #free: Block[] = [];
  #nextBytes = firstBlockBytes;
  #takenBytes = 0;

  /** Of blocks in use. */
  get takenBytes(): number {
    return this.#takenBytes;
  }

  take(bytes: number): Block {
    const at = this.#free.findIndex(free => free.bytes.length >= bytes);
    const block = at >= 0 ? this.#free.splice(at, 1)[0]! : this.#make(bytes);
    this.#takenBytes += block.bytes.length;
    return block;
  }

  give(block: Block): void {
    this.#takenBytes -= block.bytes.length;
    this.#free.push(block);
  }

  #make(bytes: number): Block {
    const buffer = new SharedArrayBuffer(Math.max(bytes, this.#nextBytes));
    this.#nextBytes = Math.min(2 * this.#nextBytes, blockBytes);
    return { buffer, bytes: new Uint8Array(buffer), cells: 0 };
  }
}

/** Cells that are wanted for about as long as each other: a block goes back to the pool with its last one. */
export class Cells {
  readonly #pool: BlockPool;
  #current: Block | undefined;
  #at = 0;

  constructor(pool: BlockPool) {
    this.#pool = pool;
  }

  take(length: number): Cell {
    if (this.#current === undefined || this.#at + length > this.#current.bytes.length) {
      if (this.#current?.cells === 0) this.#pool.give(this.#current);
      this.#current = this.#pool.take(length);
      this.#at = 0;
    }
    const cell = { block: this.#current, at: this.#at, length };
    this.#current.cells += 1;
    this.#at += length;
    return cell;
  }

  free({ block }: Cell): void {
    block.cells -= 1;
    if (block.cells > 0) return;
    if (block === this.#current) this.#at = 0;
    else this.#pool.give(block);
  }
}

export function bytesOf({ block, at, length }: Cell): Uint8Array {
  return block.bytes.subarray(at, at + length);
}
