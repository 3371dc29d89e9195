/** How large chunks come out. Bytes. */
export interface CutSizes {
  readonly minBytes: number;
  readonly averageBytes: number;
  readonly maxBytes: number;
}

/** What makes cuts a store's own. The multipliers are odd and below 2^16, the words are u64. */
export interface CutSeed {
  readonly prefilter: readonly [number, number, number, number];
  readonly words: readonly [bigint, bigint, bigint, bigint];
}

export interface CutParams {
  readonly minBytes: number;
  readonly averageBytes: number;
  readonly maxBytes: number;
  readonly seed: CutSeed;
}

/** Where a stream of rows is cut. The key is 16 bytes. */
export interface RowCutParams {
  readonly minBytes: number;
  readonly averageBytes: number;
  readonly maxBytes: number;
  readonly key: Uint8Array;
}

/** Where a listing's nodes end. The key is 16 bytes. */
export interface NodeCutParams {
  readonly minBytes: number;
  readonly averageBytes: number;
  readonly maxBytes: number;
  readonly key: Uint8Array;
}

/** Everything that decides where a store cuts: equal cuts mean that equal content is found again. */
export interface Cuts {
  readonly data: CutParams;
  readonly rows: RowCutParams;
  readonly nodes: NodeCutParams;
}

const KiB = 1024;

/** The sizes of format v1: file content, rows of a table, nodes of a listing. */
export const defaultSizes = {
  data: { minBytes: 512 * KiB, averageBytes: 1024 * KiB, maxBytes: 8192 * KiB },
  rows: { minBytes: 16 * KiB, averageBytes: 64 * KiB, maxBytes: 256 * KiB },
  nodes: { minBytes: 2 * KiB, averageBytes: 8 * KiB, maxBytes: 32 * KiB },
} as const satisfies Record<keyof Cuts, CutSizes>;

/** Bytes that the strong hash looks at; a chunk is never cut shorter, so that its window lies inside it. */
export const windowBytes = 32;
/** Past it `hash * (average - min)` is no longer an exact number. */
const hashedBytesMax = 2 * KiB * KiB;
const dataBytesMax = 1024 * KiB * KiB;

/**
 * Derives all cuts from a secret, given as its extendable-output function: `xof(label, length)` returns `length` bytes
 * that depend on the secret and the label alone. Labels and layout are part of the format:
 * `cuts/data` 40 bytes = four u16 (the lowest bit is set) and four u64; `cuts/rows` and `cuts/nodes` 16 bytes each,
 * SipHash keys. Little-endian.
 */
export function cutsFrom(
  xof: (label: string, length: number) => Uint8Array,
  sizes: Record<keyof Cuts, CutSizes> = defaultSizes,
): Cuts {
  return {
    data: checkCutParams({ ...pick(sizes.data), seed: seedFrom(xof('cuts/data', 40)) }),
    rows: checkHashedParams({ ...pick(sizes.rows), key: xof('cuts/rows', 16) }),
    nodes: checkHashedParams({ ...pick(sizes.nodes), key: xof('cuts/nodes', 16) }),
  };
}

function pick({ minBytes, averageBytes, maxBytes }: CutSizes): CutSizes {
  return { minBytes, averageBytes, maxBytes };
}

function seedFrom(bytes: Uint8Array): CutSeed {
  if (bytes.length !== 40) throw new RangeError(`Cannot derive a cut seed: ${bytes.length} bytes, need 40`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const factor = (at: number): number => view.getUint16(at, true) | 1;
  const word = (at: number): bigint => view.getBigUint64(at, true);
  return {
    prefilter: [factor(0), factor(2), factor(4), factor(6)],
    words: [word(8), word(16), word(24), word(32)],
  };
}

/** Returns the parameters unless they make no sense: RangeError. */
export function checkCutParams(params: CutParams): CutParams {
  checkSizes(params, { minBytes: windowBytes, maxBytes: dataBytesMax });
  for (const factor of params.seed.prefilter) {
    if (!Number.isInteger(factor) || factor < 1 || factor > 0xffff || factor % 2 === 0)
      throw new RangeError(`Cannot cut: prefilter multiplier ${factor} is no odd 16-bit number`);
  }
  for (const word of params.seed.words) {
    if (BigInt.asUintN(64, word) !== word) throw new RangeError('Cannot cut: seed word is no 64-bit number');
  }
  return params;
}

/** The same for cuts between rows or entries. */
export function checkHashedParams<Params extends CutSizes & { readonly key: Uint8Array }>(
  params: Params,
): Params {
  checkSizes(params, { minBytes: 1, maxBytes: hashedBytesMax });
  if (params.averageBytes === params.minBytes)
    throw new RangeError('Cannot cut: the average must be above the minimum');
  if (params.key.length !== 16)
    throw new RangeError(`Cannot cut: key of ${params.key.length} bytes, need 16`);
  return params;
}

function checkSizes(sizes: CutSizes, limits: { minBytes: number; maxBytes: number }): void {
  const { minBytes, averageBytes, maxBytes } = sizes;
  for (const size of [minBytes, averageBytes, maxBytes]) {
    if (!Number.isInteger(size)) throw new RangeError(`Cannot cut: size ${size} is no whole number of bytes`);
  }
  if (minBytes < limits.minBytes || maxBytes > limits.maxBytes)
    throw new RangeError(
      `Cannot cut: sizes ${minBytes}–${maxBytes} bytes are not within ${limits.minBytes}–${limits.maxBytes}`,
    );
  if (minBytes > averageBytes || averageBytes > maxBytes)
    throw new RangeError(
      `Cannot cut: need min ≤ average ≤ max, got ${minBytes}, ${averageBytes}, ${maxBytes}`,
    );
}
