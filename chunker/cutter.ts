import { findCut } from './cut.ts';
import { type CutBuffer, cutBuffer } from './cut-buffer.ts';
import type { CutParams } from './params.ts';
import { checkCutParams } from './params.ts';

const bytesFirst = 64 * 1024;
/** Less room than this at the buffer's end is not worth a read. */
const roomBytesMin = 64 * 1024;

/**
 * Cuts the bytes of one source as findCut defines it. They are written into its own buffer, from which chunks are taken
 * as soon as they are complete: so every byte is scanned once, and few are moved.
 */
export class Cutter {
  readonly #params: CutParams;
  /** Where nothing can be cut yet: most sources are smaller than the minimum. */
  #small = new Uint8Array(0);
  #large: CutBuffer | undefined;
  #from = 0;
  #to = 0;
  #seen = 0;

  constructor(params: CutParams) {
    this.#params = checkCutParams(params);
  }

  /** Where the next bytes are to be written: 1 to `wanted` of them. Good until the next call; takes away what `next` gave. */
  room(wanted: number): Uint8Array {
    const { minBytes, maxBytes } = this.#params;
    const held = this.#to - this.#from;
    if (!this.#large && held + wanted <= minBytes) {
      if (this.#to + wanted > this.#small.length)
        this.#moveTo(new Uint8Array(Math.min(minBytes, Math.max(bytesFirst, 4 * (held + wanted)))));
    } else if (!this.#large) {
      this.#large = cutBuffer(2 * maxBytes);
      this.#moveTo(this.#large.bytes);
    } else if (this.#large.bytes.length - this.#to < Math.min(wanted, roomBytesMin)) {
      this.#moveTo(this.#large.bytes);
    }
    return this.#bytes.subarray(this.#to, this.#to + wanted);
  }

  /** So many bytes were written where `room` said. */
  took(count: number): void {
    this.#to += count;
  }

  /**
   * The next chunk that is complete; with `final`: of what is left, until nothing is. Take all there are before the next
   * bytes. Good until the next call of `room`.
   */
  next({ final = false } = {}): Uint8Array | undefined {
    const question = { from: this.#from, to: this.#to, final, seenBytes: this.#seen };
    const length = this.#large
      ? this.#large.findCut(this.#params, question)
      : findCut(this.#small.subarray(0, this.#to), this.#params, question);
    this.#seen = length === 0 ? this.#to - this.#from : 0;
    if (length === 0) return undefined;
    this.#from += length;
    return this.#bytes.subarray(this.#from - length, this.#from);
  }

  /** Gives its memory to the next one; forgets what is in it. */
  release(): void {
    this.#large?.release();
    this.#large = undefined;
    this.#small = new Uint8Array(0);
    this.#from = 0;
    this.#to = 0;
    this.#seen = 0;
  }

  get #bytes(): Uint8Array {
    return this.#large?.bytes ?? this.#small;
  }

  #moveTo(target: Uint8Array<ArrayBuffer>): void {
    const held = (this.#large && this.#small.length === 0 ? this.#large.bytes : this.#small).subarray(
      this.#from,
      this.#to,
    );
    target.set(held);
    this.#to -= this.#from;
    this.#from = 0;
    this.#small = this.#large ? new Uint8Array(0) : target;
  }
}
