import { bodyAt, giveBack, type Instance, keyAt, marginBytes, takeInstance } from './instance.ts';

export interface CopyRowsOptions {
  /** 16 bytes, of SipHash. */
  readonly key: Uint8Array;
  /** Each row begins with "(block,offset)" and a tab, where it has columns. */
  readonly hasPlaces: boolean;
  /** Told each row in order: its hash in halves of 32 bits, and its place, or zeros. */
  readonly onRow?: ((low: number, high: number, block: number, offset: number) => void) | undefined;
}

/** Longer rows are hashed in pieces. */
export const hashedPieceBytes = 1024 * 1024;
/** So many bytes of input at a time. */
const inputBytes = 128 * 1024;
const textBytes = 2 * hashedPieceBytes + inputBytes;
const rowsMax = 4096;
/** "(4294967294,65535)" and a tab. */
const placeBytesMax = 19;
/** What is held is moved to the front at once when it is this little: then the same memory is used again and again. */
const movedBytes = 16 * 1024;
const messageHeadBytes = 5;
const copyData = 0x64;

/** One after the other, with room to overwrite. */
const inputAt = bodyAt;
const textAt = inputAt + inputBytes + marginBytes;
const targetAt = textAt + textBytes + marginBytes;
const hashesAt = targetAt + textBytes + marginBytes;
const placesAt = hashesAt + 8 * rowsMax;
const bodyEnd = placesAt + 8 * rowsMax;

/** How takeRows ends. */
const wantsMore = 0;
const isLong = 2;
const isMisplaced = 3;

const mask64 = 2n ** 64n - 1n;

/**
 * Takes apart what COPY … TO STDOUT sends as text: messages, places, rows, and their hashes. In COPY text a newline only
 * ever ends a row. A row's hash is SipHash-2-4 of its bytes without place and newline; of a row of more than 1 MiB: of
 * the hashes (8 bytes, little-endian) of its pieces of 1 MiB, the last one shorter, one after the other.
 */
export class CopyRows {
  readonly #instance: Instance;
  readonly #options: CopyRowsOptions;
  readonly #hashes: Uint32Array;
  readonly #places: Uint32Array;
  /** Of the message under way. */
  #unread = 0;
  /** What was not taken of a message's head. */
  #headBytes = 0;
  #row = textAt;
  #searched = textAt;
  #end = textAt;
  /** Hashes of the pieces of the row under way. */
  readonly #pieces: bigint[] = [];
  #rows = 0;
  #sum = 0n;

  private constructor(instance: Instance, options: CopyRowsOptions) {
    this.#instance = instance;
    this.#options = options;
    const { buffer } = instance.memory;
    this.#hashes = new Uint32Array(buffer, hashesAt, 2 * rowsMax);
    this.#places = new Uint32Array(buffer, placesAt, 2 * rowsMax);
    instance.memory.set(options.key, keyAt);
  }

  /** Undefined where this machine's WebAssembly has no vectors. */
  static make(options: CopyRowsOptions): CopyRows | undefined {
    if (options.key.length !== 16)
      throw new RangeError(`Cannot hash: key of ${options.key.length} bytes, need 16`);
    const instance = takeInstance(bodyEnd - bodyAt);
    return instance && new CopyRows(instance, options);
  }

  /** Rows so far, and their hashes' sum mod 2^64. */
  get result(): { readonly rows: number; readonly sum: bigint } {
    return { rows: this.#rows, sum: this.#sum };
  }

  /** The last byte ended a row. */
  get isBetweenRows(): boolean {
    return this.#row === this.#end && this.#pieces.length === 0;
  }

  /** Takes text, split anywhere; yields rows' bytes, newlines included, without places. Good until the next pull. */
  *text(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
    const { memory } = this.#instance;
    for (let at = 0; at < bytes.length; at += inputBytes) {
      const part = bytes.subarray(at, at + inputBytes);
      this.#makeRoom();
      memory.set(part, this.#end);
      this.#end += part.length;
      yield* this.#takeRows();
    }
  }

  /**
   * Takes CopyData messages, split anywhere, and yields rows as `text` does. Returns how many of the last bytes it did
   * not take: from the first message on that is another one.
   */
  *messages(bytes: Uint8Array): Generator<Uint8Array, number, undefined> {
    const { memory, code } = this.#instance;
    for (let at = 0; at < bytes.length; ) {
      const count = Math.min(bytes.length - at, inputBytes - this.#headBytes);
      memory.set(bytes.subarray(at, at + count), inputAt + this.#headBytes);
      at += count;
      const inputEnd = inputAt + this.#headBytes + count;
      this.#makeRoom();
      code.joinMessages(inputAt, inputEnd, this.#end, this.#unread);
      const stopped = code.stoppedAt() >>> 0;
      this.#end = code.outputEnd() >>> 0;
      this.#unread = code.unreadBytes() >>> 0;
      yield* this.#takeRows();
      const left = inputEnd - stopped;
      const isOther = left > 0 && memory[stopped] !== copyData;
      if (isOther) {
        this.#headBytes = 0;
        return left + bytes.length - at;
      }
      if (left >= messageHeadBytes) throw new RangeError('Cannot read messages: one has no such length');
      memory.copyWithin(inputAt, stopped, inputEnd);
      this.#headBytes = left;
    }
    return 0;
  }

  /** Gives its memory to the next one. It is of no use afterwards. */
  release(): void {
    giveBack(this.#instance);
  }

  *#takeRows(): Generator<Uint8Array, void, undefined> {
    const { memory, code } = this.#instance;
    const places = this.#options.hasPlaces ? placesAt : 0;
    for (;;) {
      if (this.#pieces.length > 0) {
        yield* this.#takePieces();
        if (this.#pieces.length > 0) return;
      }
      const outcome = code.takeRows(
        keyAt,
        this.#row,
        this.#searched,
        this.#end,
        targetAt,
        hashesAt,
        places,
        rowsMax,
        hashedPieceBytes,
      );
      this.#row = code.stoppedAt() >>> 0;
      this.#searched = outcome === wantsMore ? this.#end : this.#row;
      this.#tell(code.rowCount() >>> 0);
      this.#sum = (this.#sum + code.rowSum()) & mask64;
      const target = code.outputEnd() >>> 0;
      if (target > targetAt) yield memory.subarray(targetAt, target);
      if (outcome === isMisplaced) throw noPlace();
      const isSurelyLong = this.#end - this.#row > placeBytesMax + hashedPieceBytes;
      if (outcome === isLong || (outcome === wantsMore && isSurelyLong)) yield* this.#takeFirstPiece();
      else if (outcome === wantsMore) return;
    }
  }

  #tell(count: number): void {
    this.#rows += count;
    const { onRow } = this.#options;
    if (!onRow) return;
    const [hashes, places] = [this.#hashes, this.#places];
    if (!this.#options.hasPlaces) places.fill(0, 0, 2 * count);
    for (let i = 0; i < 2 * count; i += 2) onRow(hashes[i]!, hashes[i + 1]!, places[i]!, places[i + 1]!);
  }

  /** Of a row that has more than one. */
  *#takeFirstPiece(): Generator<Uint8Array, void, undefined> {
    const { code } = this.#instance;
    if (this.#options.hasPlaces) {
      this.#row = code.placeAt(placesAt, this.#row, this.#end) >>> 0;
      if (this.#row === 0) throw noPlace();
    }
    yield this.#takePiece();
  }

  #takePiece(): Uint8Array {
    const { memory, code } = this.#instance;
    const at = this.#row;
    this.#pieces.push(BigInt.asUintN(64, code.hash(keyAt, at, hashedPieceBytes)));
    this.#row = at + hashedPieceBytes;
    this.#searched = Math.max(this.#searched, this.#row);
    return memory.subarray(at, this.#row);
  }

  /** Up to the row's end, where it is at hand. */
  *#takePieces(): Generator<Uint8Array, void, undefined> {
    const { memory, code } = this.#instance;
    const end = code.findNewline(this.#searched, this.#end) >>> 0;
    this.#searched = end;
    while (end - this.#row > hashedPieceBytes) yield this.#takePiece();
    if (end === this.#end) return;
    this.#pieces.push(BigInt.asUintN(64, code.hash(keyAt, this.#row, end - this.#row)));
    const last = memory.subarray(this.#row, end + 1);
    this.#endPieces();
    this.#row = end + 1;
    this.#searched = this.#row;
    yield last;
  }

  /** A row's place is where `takeFirstPiece` left it. */
  #endPieces(): void {
    const { memory, code } = this.#instance;
    const hashes = new BigUint64Array(this.#pieces);
    memory.set(new Uint8Array(hashes.buffer), hashesAt);
    const hash = BigInt.asUintN(64, code.hash(keyAt, hashesAt, hashes.byteLength));
    this.#pieces.length = 0;
    this.#sum = (this.#sum + hash) & mask64;
    this.#hashes[0] = Number(hash & 0xffffffffn);
    this.#hashes[1] = Number(hash >> 32n);
    this.#tell(1);
  }

  /** For one more input. */
  #makeRoom(): void {
    const held = this.#end - this.#row;
    const isAtEnd = textAt + textBytes - this.#end < inputBytes;
    if (!isAtEnd && (held > movedBytes || this.#row === textAt)) return;
    this.#instance.memory.copyWithin(textAt, this.#row, this.#end);
    this.#searched -= this.#row - textAt;
    this.#end = textAt + held;
    this.#row = textAt;
  }
}

function noPlace(): RangeError {
  return new RangeError('Cannot split rows: one does not begin with its place');
}
