/** States of one length in the order in which they came, each once, and where each came from. */
export class StateTable {
  readonly #bytes: number;
  #states: Uint8Array;
  #parents: Int32Array;
  /** Numbers of states, plus one; open addressing. */
  #slots = new Int32Array(1 << 16);
  #count = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
    this.#states = new Uint8Array(bytes << 12);
    this.#parents = new Int32Array(1 << 12);
  }

  get count(): number {
    return this.#count;
  }

  /** Valid until the next add. */
  get(number: number): Uint8Array {
    return this.#states.subarray(number * this.#bytes, (number + 1) * this.#bytes);
  }

  parentOf(number: number): number {
    return this.#parents[number]!;
  }

  /** Whether it is new. */
  add(state: Uint8Array, parent: number): boolean {
    const slot = this.#find(state);
    if (this.#slots[slot] !== 0) return false;
    if ((this.#count + 1) * this.#bytes > this.#states.length) this.#grow();
    this.#states.set(state, this.#count * this.#bytes);
    this.#parents[this.#count] = parent;
    this.#count += 1;
    this.#slots[slot] = this.#count;
    if (this.#count * 2 > this.#slots.length) this.#rehash();
    return true;
  }

  #find(state: Uint8Array): number {
    const mask = this.#slots.length - 1;
    let slot = hashOf(state) & mask;
    for (let number = this.#slots[slot]!; number !== 0; number = this.#slots[slot]!) {
      if (this.#equals(state, number - 1)) return slot;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #equals(state: Uint8Array, number: number): boolean {
    const from = number * this.#bytes;
    for (let i = 0; i < this.#bytes; i++) if (this.#states[from + i] !== state[i]) return false;
    return true;
  }

  #grow(): void {
    const states = new Uint8Array(this.#states.length * 2);
    states.set(this.#states);
    this.#states = states;
    const parents = new Int32Array(this.#parents.length * 2);
    parents.set(this.#parents);
    this.#parents = parents;
  }

  #rehash(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let number = 0; number < this.#count; number++) {
      const slot = this.#find(this.get(number));
      this.#slots[slot] = number + 1;
    }
  }
}

/** FNV-1a with a last stir. */
function hashOf(state: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < state.length; i++) hash = Math.imul(hash ^ state[i]!, 0x01000193);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x85ebca6b);
  return hash ^ (hash >>> 13);
}
