import wasmBase64 from './wasm.ts';

/** What `assembly/` exports. An address or a number of bytes comes back signed: `>>> 0`. */
export interface Assembly {
  seedFactors(a: number, b: number, c: number, d: number): void;
  seedWords(w0: bigint, w1: bigint, w2: bigint, w3: bigint): void;
  scan(first: number, last: number, limit: number): number;
  cutRows(
    key: number,
    start: number,
    row: number,
    searched: number,
    end: number,
    minBytes: number,
    averageBytes: number,
    maxBytes: number,
  ): number;
  nextRow(): number;
  hash(key: number, at: number, length: number): bigint;
  joinMessages(from: number, to: number, target: number, left: number): void;
  takeRows(
    key: number,
    row: number,
    searched: number,
    end: number,
    target: number,
    hashes: number,
    places: number,
    rowsMax: number,
    longest: number,
  ): number;
  placeAt(target: number, at: number, end: number): number;
  findNewline(from: number, to: number): number;
  stoppedAt(): number;
  outputEnd(): number;
  unreadBytes(): number;
  rowCount(): number;
  rowSum(): bigint;
}

/** One run of the code with memory of its own. It never grows, so that views of it stay good. */
export interface Instance {
  readonly memory: Uint8Array<ArrayBuffer>;
  readonly code: Assembly;
}

/** Where a key may lie: 16 bytes. What the compiler puts into memory, if anything, lies below. */
export const keyAt = 1024;
/** From here on memory is the caller's; code may look at what lies a little before. */
export const bodyAt = 2048;
/** So many bytes behind the caller's own may be looked at, or overwritten. */
export const marginBytes = 64;

/** What Node's types leave out. */
const { WebAssembly } = globalThis as unknown as {
  readonly WebAssembly?: {
    readonly Module: new (bytes: Uint8Array) => object;
    readonly Memory: new (pages: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
    readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
  };
};

const pageBytes = 64 * 1024;
/** Of a size: what two sources at once need is not made anew for the next two. */
const idleMax = 2;

let compiled: { readonly module: object | undefined } | undefined;
const idle = new Map<number, Instance[]>();

/** With so many bytes for the caller. Undefined where this machine's WebAssembly has no vectors. */
export function takeInstance(bodyBytes: number): Instance | undefined {
  const pages = Math.ceil((bodyAt + bodyBytes + marginBytes) / pageBytes);
  const found = idle.get(pages)?.pop();
  if (found) return found;
  compiled ??= { module: compile() };
  const { module } = compiled;
  if (!module || !WebAssembly) return undefined;
  try {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    return { memory: new Uint8Array(memory.buffer), code: exports as Assembly };
  } catch {
    return undefined; // no address space left for it
  }
}

/** Nobody may look at its memory any more. Those that are not given back are collected like anything else. */
export function giveBack(instance: Instance): void {
  const pages = instance.memory.length / pageBytes;
  const others = idle.get(pages) ?? [];
  if (others.length < idleMax) others.push(instance);
  idle.set(pages, others);
}

function compile(): object | undefined {
  try {
    return WebAssembly && new WebAssembly.Module(Buffer.from(wasmBase64, 'base64'));
  } catch {
    return undefined;
  }
}
