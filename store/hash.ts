import type { Blake3Hasher } from '@napi-rs/blake-hash';
import { createBLAKE3 } from 'hash-wasm';

/** Bytes, or parts that are hashed as if they were joined. They may lie in shared memory. */
export type HashInput = Uint8Array | readonly Uint8Array[];

/** BLAKE3, synchronous. Every implementation gives the same bytes; what is returned is yours. */
export interface Blake3 {
  readonly implementation: Blake3Implementation;
  /** 32 bytes. */
  hash(input: HashInput): Uint8Array;
  /** Keyed mode: 32 bytes. The key has 32 bytes: RangeError. */
  keyed(key32: Uint8Array, input: HashInput): Uint8Array;
  /** Keyed mode: length bytes, at most `xofBytesMax`: RangeError. A longer output begins with the shorter one. */
  xof(key32: Uint8Array, input: HashInput, length: number): Uint8Array;
}

export type Blake3Implementation = 'native' | 'wasm';

/** The longest output of `xof`. */
export const xofBytesMax = 1024;

/**
 * Below it `native` lets WASM do the work: a native call costs about 1.3 µs before it hashes anything. Measured on an
 * EPYC with Node 20, keyed with the key of the call before, WASM against native: 1 KiB 1.9 to 1.9, 1.5 KiB 2.7 to 2.5,
 * 3 KiB 4.9 to 3.1, 4 KiB 6.4 to 2.2, 1 MiB 1058 to 116. With another key than before native takes 1 µs more.
 */
const nativeBytesMin = 1280;

const loaded: Partial<Record<Blake3Implementation, Promise<Blake3>>> = {};

/** Loads BLAKE3 once a thread: native where there is a build for this machine, unless WASM is preferred. */
export async function loadBlake3(options: { prefer?: Blake3Implementation } = {}): Promise<Blake3> {
  loaded.wasm ??= loadWasm();
  if (options.prefer === 'wasm') return loaded.wasm;
  loaded.native ??= loadNative(await loaded.wasm);
  try {
    return await loaded.native;
  } catch (cause) {
    if (options.prefer === 'native')
      throw new Error('Cannot load native BLAKE3: no build works here', { cause });
    return loaded.wasm; // the same bytes, slower
  }
}

/**
 * hash-wasm fixes a hasher's key when it is made, which is asynchronous, but reads it again at each init() from the
 * array it was given: one hasher serves every key, by overwriting that array. checkAnswers would notice a copy.
 */
async function loadWasm(): Promise<Blake3> {
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
  return checkAnswers({
    implementation: 'wasm',
    hash: input => digest(plain, input),
    keyed(key32, input) {
      key.set(checkKey(key32));
      return digest(short, input);
    },
    xof(key32, input, length) {
      if (!Number.isInteger(length) || length < 0 || length > xofBytesMax)
        throw new RangeError(`Cannot derive ${length} bytes: at most ${xofBytesMax}`);
      key.set(checkKey(key32));
      return digest(long, input).slice(0, length);
    },
  });
}

/** The native one gives 32 bytes and no more, so `xof` is WASM's here too; it derives a few keys in a run. */
async function loadNative(wasm: Blake3): Promise<Blake3> {
  const { Blake3Hasher } = await import('@napi-rs/blake-hash');
  const plain = new Blake3Hasher();
  const hasherOf = keyedHashers(key => Blake3Hasher.newKeyed(key));
  const scratch = Buffer.alloc(32);
  const digest = (hasher: Blake3Hasher, input: HashInput): Uint8Array => {
    hasher.reset();
    if (input instanceof Uint8Array) hasher.update(input);
    else for (const part of input) hasher.update(part);
    // Not digestBuffer(): its memory is freed between turns only (60 MB after 200,000 calls), and it takes 1.2 µs, not 0.3.
    scratch.write(hasher.digest('hex'), 'hex');
    return new Uint8Array(scratch);
  };
  const isSmall = (input: HashInput): boolean => {
    if (input instanceof Uint8Array) return input.length < nativeBytesMin;
    let length = 0;
    for (const part of input) length += part.length;
    return length < nativeBytesMin;
  };
  const native: Blake3 = {
    implementation: 'native',
    hash: input => digest(plain, input),
    keyed: (key32, input) => digest(hasherOf(checkKey(key32)), input),
    xof: wasm.xof,
  };
  checkAnswers(native);
  return {
    ...native,
    hash: input => (isSmall(input) ? wasm : native).hash(input),
    keyed: (key32, input) => (isSmall(input) ? wasm : native).keyed(key32, input),
  };
}

/** Making a hasher takes 8 µs and memory that is freed between turns only, so the last few are kept. */
function keyedHashers(make: (key: Buffer) => Blake3Hasher): (key32: Uint8Array) => Blake3Hasher {
  const hashersMax = 8;
  const hashers = new Map<string, Blake3Hasher>();
  // Mostly the same key comes again, and comparing it takes a tenth of looking it up.
  const last = { key: new Uint8Array(32), hasher: make(Buffer.alloc(32)) };
  return key32 => {
    if (isSame(last.key, key32)) return last.hasher;
    const key = Buffer.from(key32);
    const name = key.toString('latin1');
    let hasher = hashers.get(name);
    if (hasher === undefined) {
      for (const oldest of hashers.keys()) {
        if (hashers.size < hashersMax) break;
        hashers.delete(oldest);
      }
      hasher = make(key);
      hashers.set(name, hasher);
    }
    last.key = key;
    last.hasher = hasher;
    return hasher;
  };
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < 32; i++) if (a[i] !== b[i]) return false;
  return true;
}

function checkKey(key: Uint8Array): Uint8Array {
  if (key.length !== 32) throw new RangeError(`Cannot hash: key of ${key.length} bytes, need 32`);
  return key;
}

/** From the official test vectors: input of one zero byte, under two keys and none. A wrong build must not name chunks. */
const answers = {
  key: 'whats the Elvish word for friend',
  plain: '2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213',
  keyed: '6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b',
} as const;

function checkAnswers(blake3: Blake3): Blake3 {
  const input = new Uint8Array(1);
  const key = new TextEncoder().encode(answers.key);
  blake3.keyed(new Uint8Array(32), input);
  const got = [blake3.hash(input), blake3.keyed(key, input), blake3.xof(key, input, 32)];
  const want = [answers.plain, answers.keyed, answers.keyed];
  for (const [i, bytes] of got.entries()) {
    if (Buffer.from(bytes).toString('hex') !== want[i])
      throw new Error(`Cannot use ${blake3.implementation} BLAKE3: it gives a wrong hash`);
  }
  return blake3;
}
