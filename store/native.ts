import { loadZstd } from './compress.ts';
import { loadBlake3 } from './hash.ts';
import type { Clock } from './seams.ts';

/** One part that exists as native code and as a fallback that does the same work more slowly. */
export interface NativePart {
  readonly part: 'blake3' | 'zstd';
  /** What this machine uses: 'native', 'zstd-napi', 'node' or 'wasm'. */
  readonly implementation: string;
  readonly isFallback: boolean;
  /** How many times longer the fallback takes: measured just now where both are here, else what is usual. */
  readonly fallbackCostRatio: number;
  readonly isMeasured: boolean;
}

/** Measured with 4 MiB on an EPYC with Node 20; shown where there is nothing to compare with. */
const usualCostRatios = { blake3: 9, zstd: 2 } as const;
const sampleBytes = 4 * 1024 * 1024;

/** Which implementations are in use, and what a fallback costs. Takes about a fifth of a second. */
export async function describeNative(options: { clock: Clock }): Promise<readonly NativePart[]> {
  const sample = makeSample();
  const time = (work: () => void): number => {
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 3; i++) {
      const start = options.clock.monotonicMs();
      work();
      best = Math.min(best, options.clock.monotonicMs() - start);
    }
    return best;
  };
  const blake3 = { fast: await loadBlake3(), slow: await loadBlake3({ prefer: 'wasm' }) };
  const zstd = { fast: await loadZstd(), slow: await loadZstd({ prefer: 'wasm' }) };
  return [
    describe('blake3', blake3, one => time(() => one.hash(sample))),
    describe('zstd', zstd, one => time(() => one.compress(sample))),
  ];
}

function describe<One extends { readonly implementation: string }>(
  part: NativePart['part'],
  loaded: { fast: One; slow: One },
  timeOf: (one: One) => number,
): NativePart {
  const { implementation } = loaded.fast;
  const isFallback = implementation === loaded.slow.implementation;
  if (isFallback)
    return { part, implementation, isFallback, fallbackCostRatio: usualCostRatios[part], isMeasured: false };
  const ratio = timeOf(loaded.slow) / timeOf(loaded.fast);
  return { part, implementation, isFallback, fallbackCostRatio: ratio, isMeasured: true };
}

/** Compresses about as well as rows of a table. */
function makeSample(): Uint8Array {
  const sample = new Uint8Array(sampleBytes);
  let state = 1;
  for (let i = 0; i < sampleBytes; i++) {
    if (i % 4 === 0) state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    sample[i] = 97 + ((state >>> 24) & (i % 4 === 0 ? 15 : 3));
  }
  return sample;
}
