import { createHash } from 'node:crypto';
import type { Clock, Randomness, Seams } from '../../store/index.ts';

/** Bytes that depend on the seed and on how many were asked for before: SHA-256(seed ‖ counter), joined. */
export function seededRandomness(seed: string): Randomness {
  let counter = 0;
  let rest = Buffer.alloc(0);
  return {
    bytes(count) {
      while (rest.length < count) {
        rest = Buffer.concat([rest, createHash('sha256').update(`${seed} ${counter}`).digest()]);
        counter += 1;
      }
      const bytes = new Uint8Array(rest.subarray(0, count));
      rest = rest.subarray(count);
      return bytes;
    },
  };
}

/** A clock that moves on by 1 ms a look, from 2026-01-01 UTC. Its sleep does not wait, and it never calls back. */
export function steppingClock(startMs = Date.UTC(2026, 0, 1)): Clock {
  let elapsedMs = 0;
  const step = (): number => {
    elapsedMs += 1;
    return elapsedMs;
  };
  return {
    nowMs: () => startMs + step(),
    nowNs: () => BigInt(startMs + step()) * 1_000_000n,
    monotonicMs: step,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      elapsedMs += ms;
    },
    every: () => () => undefined,
  };
}

/** The whole world from one seed. */
export function seededSeams(seed: string): Seams {
  return { clock: steppingClock(), randomness: seededRandomness(seed) };
}
