import { findCut, limitsOf } from './cut.ts';
import { bodyAt, giveBack, type Instance, keyAt, takeInstance } from './instance.ts';
import type { CutParams, RowCutParams } from './params.ts';

export interface CutQuestion {
  /** Where the chunk begins, and where the bytes end. */
  readonly from: number;
  readonly to: number;
  readonly final: boolean;
  readonly seenBytes: number;
}

/** Where a stream of rows stands. */
export interface RowsPosition {
  /** The chunk begins. */
  readonly start: number;
  /** The first row begins that is not in it yet; moved past the rows that are taken. */
  row: number;
  /** No newline in [row, searched). */
  searched: number;
  readonly end: number;
}

/** A buffer of fixed size, and the fastest scans there are for what lies in it. */
export interface CutBuffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** As the definition has it, of bytes[0, to). */
  findCut(params: CutParams, question: CutQuestion): number;
  /** Takes complete rows as long as the chunk goes on and nothing is over the maximum: where it is cut, or 0. May take none. */
  cutRows(params: RowCutParams, at: RowsPosition): number;
  /** Nobody may look at the bytes any more. */
  release(): void;
}

export function cutBuffer(length: number): CutBuffer {
  const instance = takeInstance(length);
  return instance ? vectorBuffer(instance, length) : plainBuffer(length);
}

/** The definitions. */
export function plainBuffer(length: number): CutBuffer {
  const bytes = new Uint8Array(length);
  return {
    bytes,
    findCut: (params, { from, to, final, seenBytes }) =>
      findCut(bytes.subarray(0, to), params, { from, final, seenBytes }),
    cutRows: () => 0,
    release() {},
  };
}

/** The same cuts, by the code in `assembly/`. */
export function vectorBuffer(instance: Instance, length: number): CutBuffer {
  const { memory, code } = instance;
  let seeded: CutParams | undefined;
  let keyed: RowCutParams | undefined;
  return {
    bytes: memory.subarray(bodyAt, bodyAt + length),
    findCut(params, { from, to, final, seenBytes }) {
      if (params !== seeded) {
        const { prefilter, words } = params.seed;
        code.seedFactors(...prefilter);
        code.seedWords(...words);
        seeded = params;
      }
      const { minBytes, averageBytes, maxBytes } = params;
      const available = to - from;
      const first = Math.max(minBytes, seenBytes + 1);
      const last = Math.min(available, maxBytes - 1);
      const limits = limitsOf(params);
      const at = bodyAt + from;
      const cut =
        code.scan(at + first, at + Math.min(last, averageBytes - 1), limits.below) >>> 0 ||
        code.scan(at + Math.max(first, averageBytes), at + last, limits.above) >>> 0;
      if (cut > 0) return cut - at;
      if (available >= maxBytes) return maxBytes;
      return final ? available : 0;
    },
    cutRows(params, at) {
      if (params !== keyed) {
        memory.set(params.key, keyAt);
        keyed = params;
      }
      const cut = code.cutRows(
        keyAt,
        bodyAt + at.start,
        bodyAt + at.row,
        bodyAt + at.searched,
        bodyAt + at.end,
        params.minBytes,
        params.averageBytes,
        params.maxBytes,
      );
      const row = (code.nextRow() >>> 0) - bodyAt;
      if (row > at.row) at.searched = row;
      at.row = row;
      return cut === 0 ? 0 : (cut >>> 0) - bodyAt;
    },
    release: () => giveBack(instance),
  };
}
