import { scrypt } from 'node:crypto';
import { storeError } from '../errors.ts';

/** How a passphrase becomes a key. Memory of argon2id in KiB; scrypt takes 128 · cost · blockSize bytes. */
export type Kdf =
  | {
      readonly type: 'argon2id';
      readonly memoryKiB: number;
      readonly passes: number;
      readonly lanes?: number;
    }
  | { readonly type: 'scrypt'; readonly cost: number; readonly blockSize: number; readonly lanes: number };

/** RFC 9106's second choice, with one lane: 0.05 to 0.2 s on an EPYC core. */
export const defaultKdf: Kdf = { type: 'argon2id', memoryKiB: 64 * 1024, passes: 3, lanes: 1 };

const kdfMemoryBytesMax = 2 ** 30;
/**
 * Memory times passes (or lanes of scrypt), at most. One EPYC core did 0.7 (cold) to 4 GiB a second with argon2id and
 * 0.45 with scrypt, so that either bound is about 5 s there and 10 s on a machine half as fast. Parameters come from the
 * store, and the store may be a stranger's.
 */
const kdfWorkBytesMax = { argon2id: 8 * 2 ** 30, scrypt: 2 * 2 ** 30 } as const;
const lanesMax = 16;

/** 32 bytes from a passphrase; parameters out of bounds are refused before any work is done. */
export async function stretch(passphrase: string, kdf: Kdf, salt: Uint8Array): Promise<Uint8Array> {
  const problem = kdfProblem(kdf);
  if (problem !== undefined) throw new RangeError(`Cannot derive a key: ${problem}`);
  const secret = passphraseBytes(passphrase);
  if (kdf.type === 'scrypt') return await runScrypt(secret, kdf, salt);
  const { hashRaw } = await import('@node-rs/argon2');
  const raw = await hashRaw(secret, {
    algorithm: 2, // Argon2id; the package's enum exists at compile time only
    version: 1, // 0x13
    memoryCost: kdf.memoryKiB,
    timeCost: kdf.passes,
    parallelism: kdf.lanes ?? 1,
    outputLen: 32,
    salt,
  });
  return new Uint8Array(raw);
}

/** What is wrong with parameters, or undefined. */
export function kdfProblem(kdf: Kdf): string | undefined {
  const lanes = kdf.lanes ?? 1;
  if (!isCount(lanes) || lanes > lanesMax) return `${lanes} lanes, allowed are 1 to ${lanesMax}`;
  if (kdf.type === 'argon2id') {
    if (!isCount(kdf.passes) || !isCount(kdf.memoryKiB) || kdf.memoryKiB < 8 * lanes)
      return 'impossible parameters';
  } else if (
    !isCount(kdf.blockSize) ||
    !isCount(kdf.cost) ||
    kdf.cost < 2 ||
    !Number.isInteger(Math.log2(kdf.cost))
  ) {
    return 'impossible parameters';
  }
  const { memoryBytes, workBytes } = kdfCost(kdf);
  if (memoryBytes > kdfMemoryBytesMax)
    return `they take ${memoryBytes} bytes of memory, allowed are ${kdfMemoryBytesMax}`;
  if (workBytes > kdfWorkBytesMax[kdf.type]) return 'they would take longer than 10 s on a slow machine';
  return undefined;
}

/** The share of the longest time allowed that these parameters take, from 0 to 1. */
export function kdfShare(kdf: Kdf): number {
  return kdfCost(kdf).workBytes / kdfWorkBytesMax[kdf.type];
}

function kdfCost(kdf: Kdf): { readonly memoryBytes: number; readonly workBytes: number } {
  if (kdf.type === 'argon2id') {
    const memoryBytes = kdf.memoryKiB * 1024;
    return { memoryBytes, workBytes: memoryBytes * kdf.passes };
  }
  const memoryBytes = 128 * kdf.cost * kdf.blockSize;
  return { memoryBytes, workBytes: memoryBytes * kdf.lanes };
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}

/** NFC as in RFC 8265, so that the same typing gives the same key on every keyboard and system; then UTF-8. */
function passphraseBytes(passphrase: string): Uint8Array {
  if (passphrase === '') {
    throw storeError('STORE_WRONG_PASSPHRASE', 'Cannot use the passphrase: it is empty', {
      remedy: 'Give a passphrase by STILLPOINT_PASSPHRASE, passphraseFile or passphraseCommand.',
    });
  }
  return Buffer.from(passphrase.normalize('NFC'), 'utf8');
}

function runScrypt(
  secret: Uint8Array,
  { cost, blockSize, lanes }: Extract<Kdf, { type: 'scrypt' }>,
  salt: Uint8Array,
): Promise<Uint8Array> {
  // OpenSSL counts a little more than 128 · cost · blockSize against maxmem.
  const maxmem = 128 * cost * blockSize + 128 * blockSize * lanes + 2 ** 20;
  return new Promise((resolve, reject) => {
    scrypt(secret, salt, 32, { N: cost, r: blockSize, p: lanes, maxmem }, (error, key) => {
      if (error) reject(error);
      else resolve(new Uint8Array(key));
    });
  });
}
