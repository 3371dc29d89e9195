import type { Blake3Hasher } from '@napi-rs/blake-hash';

/** Bytes, or parts that are hashed as if they were joined. */
export type HashInput = Uint8Array | readonly Uint8Array[];

/** BLAKE3, synchronous. Every implementation gives the same bytes. Inputs may lie in shared memory. */
export interface Blake3 {
  readonly implementation: 'native' | 'wasm';
  /** 32 bytes. */
  hash(input: HashInput): Uint8Array;
  /** Keyed mode, 32 bytes. The key has 32 bytes: RangeError. */
  keyed(key32: Uint8Array, input: HashInput): Uint8Array;
  /** Keyed mode, as many bytes as asked for, at most `xofBytesMax`; more begin with the same bytes. */
  xof(key32: Uint8Array, input: HashInput, length: number): Uint8Array;
}

/** The longest output of `xof`. */
export const xofBytesMax = 1024;

/** Loads BLAKE3: the native one where it is installed, unless the other is preferred. */
export async function loadBlake3(options: { prefer?: 'native' | 'wasm' } = {}): Promise<Blake3> {
  const wasm = await loadWasm();
  if (options.prefer === 'wasm') return wasm;
  const native = await loadNative(wasm);
  if (native === undefined && options.prefer === 'native')
    throw new Error('Cannot load native BLAKE3: @napi-rs/blake-hash has no build for this platform');
  return native ?? wasm;
}

/**
 * One hasher serves every key: hash-wasm reads the key again at each init() from the array it was given at first, so
 * that array is overwritten. The known answer below would notice if a later version copied it.
 */
async function loadWasm(): Promise<Blake3> {
  const { createBLAKE3 } = await import('hash-wasm');
  const key = new Uint8Array(32);
  const plain = await createBLAKE3(256);
  const short = await createBLAKE3(256, key);
  const long = await createBLAKE3(8 * xofBytesMax, key);
  const digest = (hasher: typeof plain, input: HashInput): Uint8Array => {
    hasher.init();
    if (input instanceof Uint8Array) hasher.update(input);
    else for (const part of input) hasher.update(part);
    return hasher.digest('binary');
  };
  return {
    implementation: 'wasm',
    hash: input => digest(plain, input),
    keyed(key32, input) {
      key.set(checkKey(key32));
      return digest(short, input);
    },
    xof(key32, input, length) {
      if (!(length >= 0 && length <= xofBytesMax)) throw new RangeError(`Cannot derive ${length} bytes`);
      key.set(checkKey(key32));
      return digest(long, input).slice(0, length);
    },
  };
}

async function loadNative(wasm: Blake3): Promise<Blake3 | undefined> {
  const native = await import('@napi-rs/blake-hash').catch(() => undefined); // no build for this platform
  if (native === undefined) return undefined;
  const { Blake3Hasher } = native;
  const plain = new Blake3Hasher();
  const hashers = new Map<string, Blake3Hasher>();
  const digest = (hasher: Blake3Hasher, input: HashInput): Uint8Array => {
    hasher.reset();
    if (input instanceof Uint8Array) hasher.update(input);
    else for (const part of input) hasher.update(part);
    return new Uint8Array(hasher.digestBuffer());
  };
  return {
    implementation: 'native',
    hash: input => digest(plain, input),
    keyed(key32, input) {
      const name = Buffer.from(checkKey(key32)).toString('latin1');
      let hasher = hashers.get(name);
      if (hasher === undefined) {
        hasher = Blake3Hasher.newKeyed(Buffer.from(key32));
        if (hashers.size >= 8) hashers.clear();
        hashers.set(name, hasher);
      }
      return digest(hasher, input);
    },
    xof: wasm.xof,
  };
}

function checkKey(key: Uint8Array): Uint8Array {
  if (key.length !== 32) throw new RangeError(`Cannot hash: key of ${key.length} bytes, need 32`);
  return key;
}
