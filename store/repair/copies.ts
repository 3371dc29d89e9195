import type { ChunkIndex, ChunkPlace } from '../chunk-index/chunk-index.ts';
import { failedRead } from '../chunk-index/masks.ts';
import type { ChunkClass, ChunkRef } from '../content.ts';
import { hex, type PackId } from '../ids.ts';
import type { VerifiedStore } from '../verify.ts';
import type { PackState } from './assess.ts';

/** Which chunks have a whole copy, by what a second look said of each frame. */
export class Copies {
  readonly #index: ChunkIndex;
  /** The medium failed to read what may list more chunks. */
  readonly #isUnreadInPart: boolean;
  /** Frames that cannot be read, for whatever reason. */
  readonly #bad = new Set<number>();
  /** Those of them that the medium did not give. */
  readonly #unreadable = new Set<number>();
  /** Frames that are whole, or that parity gives back, and are copied out all the same. */
  readonly #frail = new Set<number>();
  /** Ids (hex) that were put again. */
  readonly #healed = new Set<string>();

  constructor(
    { index, problems }: Pick<VerifiedStore['verified'], 'index' | 'problems'>,
    packs: readonly PackState[],
  ) {
    this.#index = index;
    this.#isUnreadInPart = failedRead(problems) !== undefined;
    for (const { bad, unreadable, frail, restored } of packs) {
      for (const { frame } of [...frail, ...restored]) this.#frail.add(frame);
      for (const { frame } of [...bad, ...unreadable]) this.#bad.add(frame);
      for (const { frame } of unreadable) this.#unreadable.add(frame);
    }
  }

  isLost({ id, kind }: ChunkRef): boolean {
    return !this.#healed.has(hex(id)) && this.#whole(id, kind === 'data' ? 'data' : 'metadata').length === 0;
  }

  /** Whole copies where new snapshots may depend on them, once their packs are listed. */
  soundCopies(key: Uint8Array, chunkClass: ChunkClass): ChunkPlace[] {
    return this.#whole(key, chunkClass).filter(({ frame }) => !this.#frail.has(frame));
  }

  hasSoundCopy(key: Uint8Array, chunkClass: ChunkClass): boolean {
    return this.soundCopies(key, chunkClass).length > 0;
  }

  /** It may be whole: the medium just did not give it. */
  isUnreadable(id: Uint8Array): boolean {
    const places = this.#index.places(id);
    if (places.length === 0) return this.#isUnreadInPart;
    return places.some(({ frame }) => this.#unreadable.has(frame));
  }

  setHealed(id: Uint8Array): void {
    this.#healed.add(hex(id));
  }

  /** A pack that has a damaged copy; null where none is known that ever had one. */
  packOf(id: Uint8Array): PackId | null {
    return this.#index.places(id)[0]?.pack ?? null;
  }

  /** Bytes of a chunk, also of a lost one; undefined where no pack lists it. */
  lengthOf(id: Uint8Array): number | undefined {
    return this.#index.places(id)[0]?.length;
  }

  #whole(id: Uint8Array, chunkClass: ChunkClass): ChunkPlace[] {
    return this.#index
      .places(id)
      .filter(place => place.chunkClass === chunkClass && !this.#bad.has(place.frame));
  }
}
