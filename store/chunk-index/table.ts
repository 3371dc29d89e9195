import { systemSeams } from '../seams.ts';

/** One place where a chunk lies. */
export interface Slot {
  readonly frame: number;
  /** Within the frame before compression. */
  readonly offset: number;
  readonly length: number;
}

const slotWords = 7;
const loadMax = 0.75;
const firstCapacity = 64;
/** A chunk is in a few packs; whoever lists it in thousands wants the probes to take for ever. */
const copiesMax = 64;
/** New in each process, so that nobody can choose keys that fall on one place: who writes an index chooses its keys. */
const mixers = new Uint32Array(systemSeams.randomness.bytes(16).slice().buffer).map(number => number | 1);

/**
 * Chunk keys (the first 16 bytes of an id) and where the chunks lie: open addressing over one buffer, 28 bytes a slot.
 * A key may be there several times, once for each copy, up to 64.
 */
export class ChunkTable {
  #words: Uint32Array;
  #mask: number;
  #size = 0;

  constructor(expected = 0) {
    let capacity = firstCapacity;
    while (capacity * loadMax < expected) capacity *= 2;
    this.#words = new Uint32Array(capacity * slotWords);
    this.#mask = capacity - 1;
  }

  /** Copies, not distinct chunks. */
  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#words.byteLength;
  }

  /** A copy beyond the 64th is not taken. */
  add(key: Uint8Array, { frame, offset, length }: Slot): void {
    if (this.#size + 1 > (this.#mask + 1) * loadMax) this.#grow();
    const words = this.#words;
    const first = word(key, 0);
    let at = this.#start(key);
    for (let copies = 0; words[at + 4] !== 0; at = (at + slotWords) % words.length)
      if (words[at] === first && this.#isAt(key, at) && ++copies === copiesMax) return;
    words[at] = first;
    words[at + 1] = word(key, 4);
    words[at + 2] = word(key, 8);
    words[at + 3] = word(key, 12);
    words[at + 4] = frame + 1;
    words[at + 5] = offset;
    words[at + 6] = length;
    this.#size += 1;
  }

  has(key: Uint8Array): boolean {
    const words = this.#words;
    const first = word(key, 0);
    for (let at = this.#start(key); words[at + 4] !== 0; at = (at + slotWords) % words.length)
      if (words[at] === first && this.#isAt(key, at)) return true;
    return false;
  }

  /** Slots in all: every number that `find` answers is below it, until the table grows. */
  get capacity(): number {
    return this.#mask + 1;
  }

  /** The number of a key's first slot, which stands for the key until the table grows; -1 when it is not there. */
  find(key: Uint8Array): number {
    const words = this.#words;
    const first = word(key, 0);
    for (let at = this.#start(key); words[at + 4] !== 0; at = (at + slotWords) % words.length)
      if (words[at] === first && this.#isAt(key, at)) return at / slotWords;
    return -1;
  }

  /** What a number that `find` answered stands for. */
  slotAt(number: number): Slot {
    const at = number * slotWords;
    return { frame: this.#words[at + 4]! - 1, offset: this.#words[at + 5]!, length: this.#words[at + 6]! };
  }

  /** The key of a slot, for `find` and `copies`; undefined when the slot is free. */
  keyAt(number: number): Uint8Array | undefined {
    const at = number * slotWords;
    if (this.#words[at + 4] === 0) return undefined;
    const key = Buffer.allocUnsafe(16);
    for (let i = 0; i < 4; i++) key.writeUInt32LE(this.#words[at + i]!, 4 * i);
    return key;
  }

  /** Takes out the first copy of a key, if there is one. Numbers that `find` gave stand for nothing afterwards. */
  remove(key: Uint8Array): void {
    const number = this.find(key);
    if (number < 0) return;
    const words = this.#words;
    let gap = number * slotWords;
    // What comes after it moves up, unless its probes begin behind the gap.
    for (
      let at = (gap + slotWords) % words.length;
      words[at + 4] !== 0;
      at = (at + slotWords) % words.length
    ) {
      const start =
        (mix(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!) & this.#mask) * slotWords;
      const isBehind = gap <= at ? gap < start && start <= at : gap < start || start <= at;
      if (isBehind) continue;
      for (let i = 0; i < slotWords; i++) words[gap + i] = words[at + i]!;
      gap = at;
    }
    for (let i = 0; i < slotWords; i++) words[gap + i] = 0;
    this.#size -= 1;
  }

  /** All copies, in the order in which they were added. */
  copies(key: Uint8Array): Slot[] {
    const words = this.#words;
    const first = word(key, 0);
    const found: Slot[] = [];
    for (let at = this.#start(key); words[at + 4] !== 0; at = (at + slotWords) % words.length)
      if (words[at] === first && this.#isAt(key, at))
        found.push({ frame: words[at + 4]! - 1, offset: words[at + 5]!, length: words[at + 6]! });
    return found;
  }

  /** The length of the first copy in a frame that will do. */
  lengthWhere(key: Uint8Array, isGood: (frame: number) => boolean): number | undefined {
    const words = this.#words;
    const first = word(key, 0);
    for (let at = this.#start(key); words[at + 4] !== 0; at = (at + slotWords) % words.length)
      if (words[at] === first && this.#isAt(key, at) && isGood(words[at + 4]! - 1)) return words[at + 6];
    return undefined;
  }

  /** The frames of all copies. */
  eachFrame(key: Uint8Array, take: (frame: number) => void): void {
    const words = this.#words;
    const first = word(key, 0);
    for (let at = this.#start(key); words[at + 4] !== 0; at = (at + slotWords) % words.length)
      if (words[at] === first && this.#isAt(key, at)) take(words[at + 4]! - 1);
  }

  /** Where the probes for a key begin. */
  #start(key: Uint8Array): number {
    return (mixed(key) & this.#mask) * slotWords;
  }

  #isAt(key: Uint8Array, at: number): boolean {
    const words = this.#words;
    return (
      words[at + 1] === word(key, 4) && words[at + 2] === word(key, 8) && words[at + 3] === word(key, 12)
    );
  }

  #grow(): void {
    const old = this.#words;
    const larger = new Uint32Array(old.length * 2);
    const mask = this.#mask * 2 + 1;
    // From the first free slot on, so that copies of a key keep their order across the end of the old buffer.
    let start = 0;
    while (old[start + 4] !== 0) start += slotWords;
    for (let step = 0; step < old.length; step += slotWords) {
      const from = (start + step) % old.length;
      if (old[from + 4] === 0) continue;
      let at = (mix(old[from]!, old[from + 1]!, old[from + 2]!, old[from + 3]!) & mask) * slotWords;
      while (larger[at + 4] !== 0) at = (at + slotWords) % larger.length;
      for (let i = 0; i < slotWords; i++) larger[at + i] = old[from + i]!;
    }
    this.#words = larger;
    this.#mask = mask;
  }
}

function mixed(key: Uint8Array): number {
  return mix(word(key, 0), word(key, 4), word(key, 8), word(key, 12));
}

function mix(a: number, b: number, c: number, d: number): number {
  let hash =
    Math.imul(a, mixers[0]!) + Math.imul(b, mixers[1]!) + Math.imul(c, mixers[2]!) + Math.imul(d, mixers[3]!);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

function word(key: Uint8Array, at: number): number {
  return (key[at]! | (key[at + 1]! << 8) | (key[at + 2]! << 16) | (key[at + 3]! << 24)) >>> 0;
}
