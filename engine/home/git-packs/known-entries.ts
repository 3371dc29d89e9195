import { digestBytes } from './entries.ts';

const digestWords = digestBytes / 4;

/** An entry that is stored already: a range of the packs that it was taken from, laid end to end. */
export interface KnownEntry {
  readonly from: number;
  readonly headerBytes: number;
  readonly to: number;
}

/** Entries of packs by what follows their header: about 60 bytes each. */
export class KnownEntries {
  readonly #slots: Int32Array;
  readonly #digests: Uint32Array;
  readonly #from: Float64Array;
  readonly #to: Float64Array;
  readonly #headerAt: Uint32Array;
  #headers = new Uint8Array(1024);
  #count = 0;

  constructor(entries: number) {
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(entries, 1) * 1.5))).fill(-1);
    this.#digests = new Uint32Array(entries * digestWords);
    this.#from = new Float64Array(entries);
    this.#to = new Float64Array(entries);
    this.#headerAt = new Uint32Array(entries + 1);
  }

  add(range: { readonly from: number; readonly to: number }, header: Uint8Array, digest: Uint8Array): void {
    const entry = this.#count++;
    const words = wordsOf(digest);
    this.#digests.set(words, entry * digestWords);
    this.#from[entry] = range.from;
    this.#to[entry] = range.to;
    this.#keepHeader(entry, header);
    const slot = this.#slotOf(words);
    if (this.#slots[slot] === -1) this.#slots[slot] = entry;
  }

  /** The first one with this digest. */
  find(digest: Uint8Array): (KnownEntry & { readonly header: Uint8Array }) | undefined {
    const entry = this.#slots[this.#slotOf(wordsOf(digest))]!;
    if (entry === -1) return undefined;
    const header = this.#headers.subarray(this.#headerAt[entry]!, this.#headerAt[entry + 1]!);
    return { from: this.#from[entry]!, to: this.#to[entry]!, headerBytes: header.length, header };
  }

  #keepHeader(entry: number, header: Uint8Array): void {
    const at = this.#headerAt[entry]!;
    if (at + header.length > this.#headers.length) {
      const larger = new Uint8Array(this.#headers.length * 2);
      larger.set(this.#headers);
      this.#headers = larger;
    }
    this.#headers.set(header, at);
    this.#headerAt[entry + 1] = at + header.length;
  }

  /** Where the digest is, or would be. */
  #slotOf(words: Uint32Array): number {
    const mask = this.#slots.length - 1;
    for (let slot = words[0]! & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot]!;
      if (entry === -1 || this.#isDigest(entry, words)) return slot;
    }
  }

  #isDigest(entry: number, words: Uint32Array): boolean {
    for (let i = 0; i < digestWords; i++) {
      if (this.#digests[entry * digestWords + i] !== words[i]) return false;
    }
    return true;
  }
}

/** A copy: a digest may lie anywhere in memory. */
function wordsOf(digest: Uint8Array): Uint32Array {
  const words = new Uint32Array(digestWords);
  new Uint8Array(words.buffer).set(digest.subarray(0, digestBytes));
  return words;
}
