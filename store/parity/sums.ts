/**
 * The inner loop of parity: three running sums of rows, each multiplied by a power of 2 before the next row is added.
 * 16 MiB take 4 ms here (128-bit lanes of WebAssembly, with the copy into its memory), and 12 ms in the plain loop.
 */
export interface RunningSums {
  /** Forgets everything; rows have so many bytes from now on, a multiple of 16. */
  begin(rowBytes: number): void;
  /** The memory of the next row; fill it, then `add`. */
  readonly row: Uint8Array;
  /** sums = (sums · 2⁻¹, sums · 1, sums · 2) + row. */
  add(): void;
  /** The three sums, one after the other: a copy. */
  finish(): Uint8Array;
}

/** Where WebAssembly has no vectors, the plain loop does the same. */
export function runningSums(): RunningSums {
  shared ??= vectorSums() ?? plainSums();
  return shared;
}
let shared: RunningSums | undefined;

/** The definition, four bytes at a time. */
export function plainSums(): RunningSums {
  let words = 0;
  let row = new Int32Array();
  let sums = new Int32Array();
  return {
    begin(rowBytes) {
      words = rowBytes / 4;
      row = new Int32Array(words);
      sums = new Int32Array(3 * words);
    },
    get row() {
      return new Uint8Array(row.buffer);
    },
    add() {
      for (let i = 0; i < words; i++) {
        const added = row[i]!;
        const low = sums[i]!;
        const high = sums[2 * words + i]!;
        sums[i] = ((low >>> 1) & 0x7f7f7f7f) ^ Math.imul(low & 0x01010101, 0x8e) ^ added;
        sums[words + i]! ^= added;
        sums[2 * words + i] = ((high & 0x7f7f7f7f) << 1) ^ Math.imul((high >>> 7) & 0x01010101, 0x1d) ^ added;
      }
    },
    finish: () => new Uint8Array(sums.buffer.slice(0)),
  };
}

/** What Node's types leave out. */
const { WebAssembly } = globalThis as unknown as {
  readonly WebAssembly: {
    readonly Module: new (bytes: Uint8Array) => object;
    readonly Instance: new (module: object) => { readonly exports: unknown };
  };
};

interface Kernel {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  /** Adds the row at 0 to the three sums behind it. */
  readonly add: (rowBytes: number) => void;
}

/** Undefined where this machine's WebAssembly has no vectors. */
export function vectorSums(): RunningSums | undefined {
  let kernel: Kernel;
  try {
    kernel = new WebAssembly.Instance(new WebAssembly.Module(kernelModule())).exports as Kernel;
  } catch {
    return undefined;
  }
  const { memory, add } = kernel;
  let bytes = 0;
  return {
    begin(rowBytes) {
      bytes = rowBytes;
      const missing = 4 * bytes - memory.buffer.byteLength;
      if (missing > 0) memory.grow(Math.ceil(missing / 65536));
      new Uint8Array(memory.buffer, 0, 4 * bytes).fill(0);
    },
    get row() {
      return new Uint8Array(memory.buffer, 0, bytes);
    },
    add: () => add(bytes),
    finish: () => new Uint8Array(memory.buffer.slice(bytes, 4 * bytes)),
  };
}

/** The bytes of a module with `memory` and `add`: too small a thing for a compiler among the dependencies. */
function kernelModule(): Uint8Array<ArrayBuffer> {
  const [i32, v128] = [0x7f, 0x7b];
  const type = [0x60, 1, i32, 0];
  const memory = [0, 16];
  const exports = [
    [...name('add'), 0, 0],
    [...name('memory'), 2, 0],
  ];
  const locals = [
    [4, i32],
    [3, v128],
  ];
  const body = [...vector(locals), ...addLoop(), 0x0b];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // \0asm, version 1
    ...section(1, [type]),
    ...section(3, [[0]]),
    ...section(5, [memory]),
    ...section(7, exports),
    ...section(10, [[...unsigned(body.length), ...body]]),
  ]);
}

/** for (end = rowBytes; row != end; row += 16, …) { low, middle, high = … } */
function addLoop(): number[] {
  const [rowBytes, row, low, middle, high, added, sum, odd] = [0, 1, 2, 3, 4, 5, 6, 7];
  const get = (local: number) => [0x20, local];
  const set = (local: number) => [0x21, local];
  const number = (value: number) => [0x41, value]; // below 64
  const plus = [0x6a];
  const lanes = (code: number) => [0xfd, ...unsigned(code)];
  const load = [...lanes(0), 4, 0];
  const store = [...lanes(11), 4, 0];
  const each = (byte: number) => [...lanes(12), ...new Array<number>(16).fill(byte)];
  const [equal, lessSigned, and, xor, shiftRight, add] = [0x23, 0x25, 0x4e, 0x51, 0x6d, 0x6e].map(lanes);
  const put = (local: number, value: readonly number[]) => [...get(local), ...value, ...store];
  const step = (local: number) => [...get(local), ...number(16), ...plus, ...set(local)];
  const odds = [...get(odd), ...each(1), ...and!, ...each(1), ...equal!];
  const halved = [...get(sum), ...number(1), ...shiftRight!, ...odds, ...each(0x8e), ...and!, ...xor!];
  const tops = [...get(sum), ...each(0), ...lessSigned!];
  const doubled = [...get(sum), ...get(sum), ...add!, ...tops, ...each(0x1d), ...and!, ...xor!];
  const loaded = (local: number) => [...get(local), ...load];
  const begin = [low, middle, high].flatMap((local, i) => [
    ...get([row, low, middle][i]!),
    ...get(rowBytes),
    ...plus,
    ...set(local),
  ]);
  return [
    ...begin,
    ...[0x03, 0x40], // loop
    ...[...loaded(row), ...set(added)],
    ...[...loaded(low), ...set(sum), ...get(sum), ...set(odd)],
    ...put(low, [...halved, ...get(added), ...xor!]),
    ...put(middle, [...loaded(middle), ...get(added), ...xor!]),
    ...[...loaded(high), ...set(sum)],
    ...put(high, [...doubled, ...get(added), ...xor!]),
    ...[row, low, middle, high].flatMap(step),
    ...[...get(row), ...get(rowBytes), 0x47, 0x0d, 0], // while row != rowBytes
    0x0b,
  ];
}

function section(id: number, items: readonly (readonly number[])[]): number[] {
  const content = vector(items);
  return [id, ...unsigned(content.length), ...content];
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function name(text: string): number[] {
  return [text.length, ...Buffer.from(text)];
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}
