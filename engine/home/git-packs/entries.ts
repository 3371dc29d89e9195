import { createHash, type Hash, hash } from 'node:crypto';
import type { PackLayout } from './pack-index.ts';

/** Bytes of a digest that are kept: as many as the store's index has of a chunk's id. */
export const digestBytes = 16;
/** Enough for the longest header: a size, and a distance or a name. */
const headerBytesMax = 64;
const deltaByDistance = 6;
const deltaByName = 7;

/** Hears of each entry in turn. Both arrays are valid during the call. */
export type TakeEntry = (header: Uint8Array, digest: Uint8Array) => void;

/**
 * Length of the header at the beginning of an entry: its kind and size, and for a delta where its base is, as a distance
 * that changes whenever anything before it moves, or by name. What follows depends on the object alone.
 */
export function headerLength(entry: Uint8Array, hashBytes: number): number {
  let at = 0;
  const kind = (entry[0]! >> 4) & 7;
  while (at < entry.length && entry[at++]! & 0x80);
  if (kind === deltaByDistance) while (at < entry.length && entry[at++]! & 0x80);
  if (kind === deltaByName) at += hashBytes;
  return Math.min(at, entry.length);
}

/** Takes a pack's bytes in order, in pieces, and tells the header of each entry and a digest of what follows it. */
export class EntrySplitter {
  readonly #layout: PackLayout;
  readonly #take: TakeEntry;
  readonly #head = new Uint8Array(headerBytesMax);
  #headLength = 0;
  #header = this.#head.subarray(0, 0);
  #hash: Hash | undefined;
  /** Position of the next byte. */
  #at = 0;
  /** The entry that it belongs to. */
  #entry = 0;

  constructor(layout: PackLayout, take: TakeEntry) {
    this.#layout = layout;
    this.#take = take;
  }

  write(bytes: Uint8Array): void {
    const { starts } = this.#layout;
    let from = 0;
    while (from < bytes.length && this.#entry < starts.length) {
      const start = starts[this.#entry]!;
      const left = bytes.length - from;
      if (this.#at < start) {
        const skipped = Math.min(start - this.#at, left);
        from += skipped;
        this.#at += skipped;
        continue;
      }
      const end = this.#endOf(this.#entry);
      const part = bytes.subarray(from, from + Math.min(end - this.#at, left));
      if (this.#at === start && part.length === end - start) this.#takeWhole(part);
      else this.#addPart(part, this.#at + part.length === end);
      from += part.length;
      this.#at += part.length;
      if (this.#at === end) this.#entry += 1;
    }
    this.#at += bytes.length - from;
  }

  #endOf(entry: number): number {
    return this.#layout.starts[entry + 1] ?? this.#layout.end;
  }

  #takeWhole(entry: Uint8Array): void {
    const length = headerLength(entry, this.#layout.hashBytes);
    const digest = hash('sha256', entry.subarray(length), 'buffer');
    this.#take(entry.subarray(0, length), digest.subarray(0, digestBytes));
  }

  #addPart(part: Uint8Array, isLast: boolean): void {
    let rest = part;
    if (this.#hash === undefined) {
      const taken = Math.min(headerBytesMax - this.#headLength, part.length);
      this.#head.set(part.subarray(0, taken), this.#headLength);
      this.#headLength += taken;
      if (this.#headLength < headerBytesMax && !isLast) return;
      const head = this.#head.subarray(0, this.#headLength);
      this.#header = head.subarray(0, headerLength(head, this.#layout.hashBytes));
      this.#hash = createHash('sha256').update(head.subarray(this.#header.length));
      rest = part.subarray(taken);
    }
    this.#hash.update(rest);
    if (!isLast) return;
    this.#take(this.#header, this.#hash.digest().subarray(0, digestBytes));
    this.#hash = undefined;
    this.#headLength = 0;
  }
}
