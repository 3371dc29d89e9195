import { createRequire } from 'node:module';
import * as zlib from 'node:zlib';

/** zstd, synchronous. Every implementation reads what the others wrote. */
export interface Zstd {
  readonly implementation: 'zstd-napi' | 'node' | 'wasm';
  /** One frame that carries its content size. Level 3 unless given. */
  compress(bytes: Uint8Array, level?: number): Uint8Array;
  /** The rawLength bytes of one frame; CompressionError when it is corrupt or holds any other number of bytes. */
  decompress(bytes: Uint8Array, rawLength: number): Uint8Array;
}

/** The bytes are no zstd frame of the expected length. The store makes STORE_DAMAGED of it. */
export class CompressionError extends Error {
  override readonly name = 'CompressionError';
}

type Implementation = Zstd['implementation'];

/** Loads the fastest zstd that this machine has, or the one that is preferred (Error when it is absent). */
export async function loadZstd(options: { prefer?: Implementation } = {}): Promise<Zstd> {
  const loaders: Record<Implementation, () => Promise<Zstd | undefined>> = {
    'zstd-napi': loadNapi,
    node: loadNode,
    wasm: loadWasm,
  };
  const names = options.prefer === undefined ? (['zstd-napi', 'node', 'wasm'] as const) : [options.prefer];
  for (const name of names) {
    const zstd = await loaders[name]();
    if (zstd !== undefined) return zstd;
  }
  throw new Error(`Cannot load zstd: ${names.join(', ')} is not available here`);
}

const defaultLevel = 3;

function checked(bytes: Uint8Array, rawLength: number): Uint8Array {
  if (bytes.length !== rawLength)
    throw new CompressionError(`Cannot decompress: got ${bytes.length} bytes, need ${rawLength}`);
  return bytes;
}

interface Napi {
  compressBound(size: number): number;
  CCtx: new () => { compress(target: Uint8Array, source: Uint8Array, level: number): number };
  DCtx: new () => { decompress(target: Uint8Array, source: Uint8Array): number };
}

async function loadNapi(): Promise<Zstd | undefined> {
  let napi: Napi;
  try {
    napi = createRequire(import.meta.url)('zstd-napi/binding.js') as Napi;
  } catch {
    return undefined; // optional: it is compiled on install, where there is a compiler
  }
  const compressor = new napi.CCtx();
  const decompressor = new napi.DCtx();
  return {
    implementation: 'zstd-napi',
    compress(bytes, level = defaultLevel) {
      const target = new Uint8Array(napi.compressBound(bytes.length));
      return target.slice(0, compressor.compress(target, bytes, level));
    },
    decompress(bytes, rawLength) {
      const target = new Uint8Array(rawLength);
      let length: number;
      try {
        length = decompressor.decompress(target, bytes);
      } catch (cause) {
        throw new CompressionError('Cannot decompress: corrupt frame', { cause });
      }
      return checked(target.subarray(0, length), rawLength);
    },
  };
}

interface NodeZstd {
  readonly constants: Record<string, number>;
  zstdCompressSync(bytes: Uint8Array, options: { params: Record<number, number> }): Uint8Array;
  zstdDecompressSync(bytes: Uint8Array, options: { maxOutputLength: number }): Uint8Array;
}

async function loadNode(): Promise<Zstd | undefined> {
  if (!('zstdCompressSync' in zlib)) return undefined; // Node before 22.15
  const node = zlib as unknown as NodeZstd;
  const levelParam = node.constants['ZSTD_c_compressionLevel']!;
  return {
    implementation: 'node',
    compress: (bytes, level = defaultLevel) =>
      node.zstdCompressSync(bytes, { params: { [levelParam]: level } }),
    decompress(bytes, rawLength) {
      let raw: Uint8Array;
      try {
        raw = node.zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, rawLength) });
      } catch (cause) {
        throw new CompressionError('Cannot decompress: corrupt frame', { cause });
      }
      return checked(raw, rawLength);
    },
  };
}

async function loadWasm(): Promise<Zstd> {
  const wasm = await import('@bokuweb/zstd-wasm');
  await wasm.init();
  return {
    implementation: 'wasm',
    compress: (bytes, level = defaultLevel) => wasm.compress(bytes, level),
    decompress(bytes, rawLength) {
      let raw: Uint8Array;
      try {
        raw = wasm.decompress(bytes, { defaultHeapSize: rawLength });
      } catch (cause) {
        throw new CompressionError('Cannot decompress: corrupt frame', { cause });
      }
      return checked(raw, rawLength);
    },
  };
}
