/** A set of small numbers, one bit each. */
export class Bits {
  readonly #words: Uint32Array;

  constructor(capacity: number) {
    this.#words = new Uint32Array(Math.ceil(capacity / 32));
  }

  has(number: number): boolean {
    return ((this.#words[number >>> 5]! >>> (number & 31)) & 1) === 1;
  }

  /** False when it was there already. */
  add(number: number): boolean {
    const bit = 1 << (number & 31);
    if ((this.#words[number >>> 5]! & bit) !== 0) return false;
    this.#words[number >>> 5]! |= bit;
    return true;
  }
}
