const keyWords = 4;
const loadMax = 0.8;

/** A set of keys of 16 bytes, of which the number is known before: 20 bytes each. Keys come from a keyed hash. */
export class KeySet {
  readonly #words: Uint32Array;
  readonly #slots: number;
  #hasZero = false;

  constructor(count: number) {
    this.#slots = Math.ceil((count + 1) / loadMax);
    this.#words = new Uint32Array(this.#slots * keyWords);
  }

  add(key: Uint8Array): void {
    const at = this.#find(key);
    if (at === undefined) this.#hasZero = true;
    else for (let i = 0; i < keyWords; i++) this.#words[at + i] = word(key, i);
  }

  has(key: Uint8Array): boolean {
    const at = this.#find(key);
    return at === undefined ? this.#hasZero : this.#isTaken(at);
  }

  /** The slot of a key, or the free one for it; undefined for the key of zeros, which looks like a free slot. */
  #find(key: Uint8Array): number | undefined {
    const words = this.#words;
    const [a, b, c, d] = [word(key, 0), word(key, 1), word(key, 2), word(key, 3)];
    if ((a | b | c | d) === 0) return undefined;
    for (let at = Math.floor((a / 2 ** 32) * this.#slots) * keyWords; ; at = (at + keyWords) % words.length) {
      const isSame = words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d;
      if (isSame || !this.#isTaken(at)) return at;
    }
  }

  #isTaken(at: number): boolean {
    const words = this.#words;
    return (words[at]! | words[at + 1]! | words[at + 2]! | words[at + 3]!) !== 0;
  }
}

function word(key: Uint8Array, i: number): number {
  const at = 4 * i;
  return (key[at]! | (key[at + 1]! << 8) | (key[at + 2]! << 16) | (key[at + 3]! << 24)) >>> 0;
}
