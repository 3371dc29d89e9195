import { type SipHash, sipHash24 } from '../../chunker/index.ts';
import { storeError } from '../../store/index.ts';

/** What a table's rows add up to, whatever their order. */
export interface RowDigest {
  readonly rows: number;
  /** Sum of the rows' hashes, mod 2⁶⁴. */
  readonly sum: bigint;
}

const mask64 = 2n ** 64n - 1n;

export function addDigests(a: RowDigest, b: RowDigest): RowDigest {
  return { rows: a.rows + b.rows, sum: (a.sum + b.sum) & mask64 };
}

export function subtractDigest(from: RowDigest, less: RowDigest): RowDigest {
  return { rows: from.rows - less.rows, sum: (from.sum - less.sum) & mask64 };
}

export function equalDigests(a: RowDigest, b: RowDigest): boolean {
  return a.rows === b.rows && a.sum === b.sum;
}

export const emptyDigest: RowDigest = { rows: 0, sum: 0n };

/** A sum as it is stored: u64, little-endian. */
export function sumBytes(sum: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, sum, true);
  return bytes;
}

/** STORE_DAMAGED where it is none; `what` it is of. */
export function sumFrom(bytes: Uint8Array, what: string): bigint {
  if (bytes.length !== 8)
    throw storeError('STORE_DAMAGED', `Cannot read ${what}: digest of ${bytes.length} bytes`);
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
}

/**
 * Adds up rows. The hash of a row is SipHash-2-4 under the store's key of the bytes that COPY text gives for its
 * columns, without the newline. A row of more than 1 MiB: of the hashes (8 bytes, little-endian) of its pieces of 1 MiB,
 * the last one shorter, one after the other.
 */
export class DigestSum {
  readonly #hash: SipHash;
  #rows = 0;
  // Sums of halves stay exact up to 2²¹ rows; then they are folded.
  #low = 0;
  #high = 0;
  #unfolded = 0;
  #sum = 0n;
  #pieces: number[] = [];
  readonly #onHash: ((low: number, high: number) => void) | undefined;

  /** `onHash` is told each row's hash, in halves of 32 bits. */
  constructor(key: Uint8Array, onHash?: (low: number, high: number) => void) {
    this.#hash = sipHash24(key);
    this.#onHash = onHash;
  }

  /** A whole row of at most 1 MiB: bytes[from, to). */
  addRow(bytes: Uint8Array, from: number, to: number): void {
    this.#count(this.#hash(bytes, from, to));
  }

  /** The next piece of a longer row: exactly 1 MiB, except the last. */
  addPiece(bytes: Uint8Array, from: number, to: number): void {
    const { low, high } = this.#hash(bytes, from, to);
    this.#pieces.push(low, high);
  }

  /** The pieces given make one row. */
  endPieces(): void {
    const view = new DataView(new ArrayBuffer(4 * this.#pieces.length));
    for (const [i, half] of this.#pieces.entries()) view.setUint32(4 * i, half, true);
    this.#pieces = [];
    this.#count(this.#hash(new Uint8Array(view.buffer)));
  }

  result(): RowDigest {
    this.#fold();
    return { rows: this.#rows, sum: this.#sum };
  }

  #count({ low, high }: { readonly low: number; readonly high: number }): void {
    this.#onHash?.(low, high);
    this.#rows += 1;
    this.#low += low;
    this.#high += high;
    this.#unfolded += 1;
    if (this.#unfolded === 2 ** 20) this.#fold();
  }

  #fold(): void {
    this.#sum = (this.#sum + BigInt(this.#low) + (BigInt(this.#high) << 32n)) & mask64;
    this.#low = 0;
    this.#high = 0;
    this.#unfolded = 0;
  }
}
