import { createRequire } from 'node:module';
import * as zlib from 'node:zlib';
import { CompressionError, checkZstdFrame } from './zstd-frame.ts';

/**
 * zstd, synchronous. Every implementation reads what the others wrote and refuses the same bytes; what they write may
 * differ. One object serves one thread.
 */
export interface Zstd {
  readonly implementation: ZstdImplementation;
  /** One frame that announces its content size and has no checksum. Level 1–22, 3 unless given. The result is yours. */
  compress(bytes: Uint8Array, level?: number): Uint8Array;
  /**
   * The content of exactly one frame that holds exactly rawLength bytes. Anything else (corrupt, cut off, another
   * length, bytes after the frame) is a CompressionError, and nothing larger than rawLength is allocated for it.
   * Without a checksum in the frame, corrupt bytes may decompress to wrong bytes: the seal and the chunk id notice.
   * It is a view of `target` where that is given and an implementation can write there, else memory of its own.
   */
  decompress(bytes: Uint8Array, rawLength: number, target?: Uint8Array): Uint8Array;
}

/** In order of speed: compiled on install, Node's own from 22.15 on, and one that runs everywhere. */
export const zstdImplementations = ['zstd-napi', 'node', 'wasm'] as const;
export type ZstdImplementation = (typeof zstdImplementations)[number];

/** The most bytes in one frame: a WASM heap holds it twice with ease, and no chunk comes near. */
export const frameRawBytesMax = 256 * 1024 * 1024;

const defaultLevel = 3;

/** Does the work with arguments that were checked; any error of decompress means a corrupt frame. */
type Codec = Pick<Zstd, 'decompress'> & { compress(bytes: Uint8Array, level: number): Uint8Array };

const loaders: Record<ZstdImplementation, () => Promise<Codec>> = {
  'zstd-napi': loadNapi,
  node: loadNode,
  wasm: loadWasm,
};

/** Loads the fastest zstd that works here, or the preferred one (an Error, with the reason as cause, where it is not there). */
export async function loadZstd(options: { prefer?: ZstdImplementation } = {}): Promise<Zstd> {
  const names = options.prefer === undefined ? zstdImplementations : [options.prefer];
  let cause: unknown;
  for (const name of names) {
    try {
      return checked(name, await loaders[name]());
    } catch (error) {
      cause = error; // not built or not in this Node: the next one does the same work, slower
    }
  }
  throw new Error(`Cannot load zstd: ${names.join(', ')} does not work here`, { cause });
}

/** Puts the same checks before and after every implementation. */
function checked(implementation: ZstdImplementation, codec: Codec): Zstd {
  return {
    implementation,
    compress(bytes, level = defaultLevel) {
      checkRawLength(bytes.length);
      if (!Number.isInteger(level) || level < 1 || level > 22)
        throw new RangeError(`Cannot compress: level ${level} is not 1–22`);
      return codec.compress(bytes, level);
    },
    decompress(bytes, rawLength, target) {
      checkRawLength(rawLength);
      checkZstdFrame(bytes, rawLength);
      let raw: Uint8Array;
      try {
        raw = codec.decompress(bytes, rawLength, target);
      } catch (cause) {
        throw new CompressionError('Cannot decompress: corrupt frame', { cause });
      }
      if (raw.length !== rawLength)
        throw new CompressionError(`Cannot decompress: got ${raw.length} bytes, need ${rawLength}`);
      return raw;
    },
  };
}

function checkRawLength(rawLength: number): void {
  if (!Number.isInteger(rawLength) || rawLength < 0 || rawLength > frameRawBytesMax)
    throw new RangeError(`Cannot use a frame of ${rawLength} bytes: at most ${frameRawBytesMax}`);
}

interface Napi {
  compressBound(size: number): number;
  readonly CCtx: new () => { compress(target: Uint8Array, source: Uint8Array, level: number): number };
  readonly DCtx: new () => { decompress(target: Uint8Array, source: Uint8Array): number };
}

/** Its types are not imported: npm leaves an optional package out where it cannot be compiled, and the build must pass. */
async function loadNapi(): Promise<Codec> {
  const napi = createRequire(import.meta.url)('zstd-napi/binding.js') as Napi;
  const compressor = new napi.CCtx();
  const decompressor = new napi.DCtx();
  let scratch = new Uint8Array(0);
  return {
    compress(bytes, level) {
      const bound = napi.compressBound(bytes.length);
      if (scratch.length < bound) scratch = new Uint8Array(bound);
      return scratch.slice(0, compressor.compress(scratch, bytes, level));
    },
    decompress(bytes, rawLength, given) {
      const hasRoom = given !== undefined && given.length >= rawLength;
      const target = hasRoom ? given.subarray(0, rawLength) : new Uint8Array(rawLength);
      return target.subarray(0, decompressor.decompress(target, bytes));
    },
  };
}

interface NodeZstdOptions {
  readonly chunkSize: number;
  readonly params?: Readonly<Record<number, number>>;
  readonly maxOutputLength?: number;
}

interface NodeZstd {
  readonly constants: Readonly<Record<string, number>>;
  zstdCompressSync(bytes: Uint8Array, options: NodeZstdOptions): Uint8Array;
  zstdDecompressSync(bytes: Uint8Array, options: NodeZstdOptions): Uint8Array;
}

async function loadNode(): Promise<Codec> {
  if (!('zstdCompressSync' in zlib)) throw new Error('Node has zstd from 22.15 on');
  const node = zlib as unknown as NodeZstd;
  const levelParameter = node.constants['ZSTD_c_compressionLevel']!;
  // One output buffer that holds everything: the default, many of 16 KiB, takes twice as long to decompress.
  return {
    compress: (bytes, level) => {
      const chunkSize = bytes.length + (bytes.length >>> 8) + 1024;
      return plain(node.zstdCompressSync(bytes, { params: { [levelParameter]: level }, chunkSize }));
    },
    decompress: (bytes, rawLength) =>
      plain(
        node.zstdDecompressSync(bytes, {
          chunkSize: rawLength + 64,
          maxOutputLength: Math.max(1, rawLength),
        }),
      ),
  };
}

/** Without the methods of Buffer, whose slice() does not copy. */
function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/**
 * Once for all: after a second init() the package reads and writes one memory and works in another, and gives garbage
 * without an error. So it is not done either where somebody else in the process has done it.
 */
let wasmReady: Promise<void> | undefined;

async function loadWasm(): Promise<Codec> {
  const wasm = await import('@bokuweb/zstd-wasm');
  wasmReady ??= isReady() ? Promise.resolve() : wasm.init();
  await wasmReady;
  function isReady(): boolean {
    try {
      return wasm.compress(Uint8Array.of(1)).length > 0;
    } catch {
      return false; // its functions throw until it is initialised
    }
  }
  return {
    compress: (bytes, level) => wasm.compress(bytes, level),
    decompress: bytes => wasm.decompress(bytes),
  };
}
