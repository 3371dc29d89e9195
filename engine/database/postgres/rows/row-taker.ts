import { CopyRows, type CopyRowsOptions } from '../../../../chunker/index.ts';
import { DigestSum, type RowDigest } from '../../digest.ts';
import { RowSplitter } from '../../row-splitter.ts';

/** Takes rows apart as COPY sends them, and adds them up. */
export interface RowTaker {
  /** Text, split anywhere. Yields rows' bytes, newlines included, without places; good until the next pull. */
  text(bytes: Uint8Array): Iterable<Uint8Array>;
  /**
   * CopyData messages, split anywhere, to the same effect. Returns how many of the last bytes it did not take: from the
   * first message on that is another one.
   */
  messages(bytes: Uint8Array): Generator<Uint8Array, number, undefined>;
  readonly result: RowDigest;
  readonly isBetweenRows: boolean;
  /** It is of no use afterwards. */
  release(): void;
}

export type RowTakerOptions = CopyRowsOptions;

export function rowTaker(options: RowTakerOptions): RowTaker {
  return CopyRows.make(options) ?? plainRowTaker(options);
}

/** The same where WebAssembly has no vectors: row by row. */
export function plainRowTaker({ key, hasPlaces, onRow }: RowTakerOptions): RowTaker {
  let block = 0;
  let offset = 0;
  const digest = new DigestSum(key, onRow && ((low, high) => onRow(low, high, block, offset)));
  const onPlace = (rowBlock: number, rowOffset: number): void => {
    block = rowBlock;
    offset = rowOffset;
  };
  const splitter = new RowSplitter({ digest, onPlace: hasPlaces ? onPlace : undefined });
  const messages = new MessageReader();
  let output = new Uint8Array(0);
  function* text(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
    if (output.length < bytes.length) output = new Uint8Array(bytes.length);
    const written = splitter.split(bytes, output);
    if (written > 0) yield output.subarray(0, written);
  }
  return {
    text,
    *messages(bytes) {
      for (let at = 0; at < bytes.length; ) {
        const { from, to, isOther } = messages.next(bytes, at);
        if (isOther) return bytes.length - from;
        yield* text(bytes.subarray(from, to));
        at = to;
      }
      return 0;
    },
    get result() {
      return digest.result();
    },
    get isBetweenRows() {
      return splitter.isBetweenRows;
    },
    release() {},
  };
}

const copyData = 0x64;
const headBytes = 5;

/** Finds what CopyData messages carry. */
class MessageReader {
  /** Of the message under way. */
  #left = 0;
  readonly #head = new Uint8Array(headBytes);
  #headLength = 0;

  /** The next bytes from a place on that one message carries, none perhaps; or where another message begins. */
  next(bytes: Uint8Array, at: number): { from: number; to: number; isOther: boolean } {
    let from = at;
    while (this.#left === 0 && from < bytes.length) {
      if (this.#headLength === 0 && bytes[from] !== copyData) return { from, to: from, isOther: true };
      this.#head[this.#headLength++] = bytes[from++]!;
      if (this.#headLength < headBytes) continue;
      this.#headLength = 0;
      this.#left = new DataView(this.#head.buffer).getUint32(1) - 4;
      if (this.#left < 0) throw new RangeError('Cannot read messages: one has no such length');
    }
    const count = Math.min(this.#left, bytes.length - from);
    this.#left -= count;
    return { from, to: from + count, isOther: false };
  }
}
