import { Bits } from '../chunk-index/bits.ts';
import type { ChunkIndex } from '../chunk-index/chunk-index.ts';
import type { ChunkId } from '../ids.ts';
import type { Node } from '../listing/node.ts';

/** What a subtree amounts to, as its parent should say it. */
export interface Summary {
  readonly kind: Node['kind'];
  readonly level: number;
  /** Entries of a listing, bytes of an extent list. */
  readonly total: number;
  readonly firstKey: Uint8Array | undefined;
  readonly lastKey: Uint8Array | undefined;
}

const headBytes = 18;
const noKey = 0xffffffff;
const firstBytes = 1 << 16;

/**
 * Summaries of nodes by their number in an index, in one buffer: two keys and some 70 bytes a node. The keys are copies,
 * since a view would keep the frame that it came from.
 */
export class Summaries {
  readonly #index: ChunkIndex;
  /** Where a summary begins. */
  readonly #starts = new Map<number, number>();
  readonly #unreadable: Bits;
  #bytes = Buffer.alloc(firstBytes);
  #end = 0;

  /** The index must not grow any more. */
  constructor(index: ChunkIndex) {
    this.#index = index;
    this.#unreadable = new Bits(index.numbersEnd);
  }

  /** Undefined: the node was not looked at, or no pack has it; null: it could not be read. */
  get(id: ChunkId): Summary | null | undefined {
    const number = this.#index.numberOf(id);
    if (number < 0) return undefined;
    if (this.#unreadable.has(number)) return null;
    const start = this.#starts.get(number);
    return start === undefined ? undefined : this.#decode(start);
  }

  set(id: ChunkId, summary: Summary | undefined): void {
    const number = this.#index.numberOf(id);
    if (number < 0) return;
    if (summary === undefined) this.#unreadable.add(number);
    else this.#starts.set(number, this.#encode(summary));
  }

  #encode({ kind, level, total, firstKey, lastKey }: Summary): number {
    const start = this.#end;
    const keys = [firstKey, lastKey];
    const length = keys.reduce((sum, key) => sum + (key?.length ?? 0), headBytes);
    while (start + length > this.#bytes.length)
      this.#bytes = Buffer.concat([this.#bytes], 2 * this.#bytes.length);
    this.#bytes[start] = kind === 'listing' ? 0 : 1;
    this.#bytes[start + 1] = level;
    this.#bytes.writeDoubleLE(total, start + 2);
    let at = start + headBytes;
    for (const [i, key] of keys.entries()) {
      this.#bytes.writeUInt32LE(key?.length ?? noKey, start + 10 + 4 * i);
      if (key) this.#bytes.set(key, at);
      at += key?.length ?? 0;
    }
    this.#end = at;
    return start;
  }

  #decode(start: number): Summary {
    const lengths = [0, 4].map(offset => this.#bytes.readUInt32LE(start + 10 + offset));
    let at = start + headBytes;
    const [firstKey, lastKey] = lengths.map(length => {
      if (length === noKey) return undefined;
      at += length;
      return this.#bytes.subarray(at - length, at);
    });
    return {
      kind: this.#bytes[start] === 0 ? 'listing' : 'extents',
      level: this.#bytes[start + 1]!,
      total: this.#bytes.readDoubleLE(start + 2),
      firstKey,
      lastKey,
    };
  }
}
