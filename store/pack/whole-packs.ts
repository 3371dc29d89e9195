import type { StoreContext } from '../context.ts';
import type { PackId } from '../ids.ts';
import { headerBytes } from '../seal/index.ts';
import { packName } from './row.ts';

/** Once so much of a pack was asked for, the rest of it is thought to be wanted, too: frames lie shuffled. */
const wholeFromPart = 1 / 8;
const wholeBytesMax = 32 * 1024 * 1024;

export interface WholePacksOptions {
  /** How large a pack is by the newest index; undefined: nobody knows. */
  readonly bytesOf: (pack: PackId) => number | undefined;
  /** So many are kept, those that were begun last. */
  readonly max: number;
}

interface Range {
  /** In the pack. */
  readonly offset: number;
  readonly length: number;
}

/** Packs of which most is wanted, each read at once instead of a frame at a time. */
export class WholePacks {
  readonly #context: StoreContext;
  readonly #options: WholePacksOptions;
  readonly #asked = new Map<PackId, number>();
  readonly #packs = new Map<PackId, Promise<WholePack | undefined>>();

  constructor(context: StoreContext, options: WholePacksOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** The pack of which so much is wanted now; undefined: single reads are better, or it cannot be read as a whole. */
  of(pack: PackId, wantedBytes: number): Promise<WholePack | undefined> | undefined {
    const known = this.#packs.get(pack);
    if (known) return known;
    const bytes = this.#options.bytesOf(pack) ?? Number.POSITIVE_INFINITY;
    const askedBytes = (this.#asked.get(pack) ?? 0) + wantedBytes;
    this.#asked.set(pack, askedBytes);
    if (bytes > wholeBytesMax || askedBytes < bytes * wholeFromPart) return undefined;
    this.#asked.delete(pack);
    const range = { offset: headerBytes, length: bytes - headerBytes };
    const reading = this.#context.backend.get(packName(pack), range).then(
      all => new WholePack(all),
      () => undefined,
    );
    this.#packs.set(pack, reading);
    const oldest = this.#packs.keys().next();
    if (this.#packs.size > this.#options.max && !oldest.done) this.#packs.delete(oldest.value);
    return reading;
  }

  /** The next one who asks for it has it read anew. */
  forget(pack: PackId): void {
    this.#packs.delete(pack);
  }
}

class WholePack {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** A view: it is good for as long as it is held. */
  part({ offset, length }: Range): Uint8Array {
    return this.#bytes.subarray(offset - headerBytes, offset - headerBytes + length);
  }
}
