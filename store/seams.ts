import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

/** Time, passed in so that a test can replay it. Nothing else in the project asks the machine for the time. */
export interface Clock {
  /** Wall clock, ms since 1970-01-01 UTC. May jump; never decides safety. */
  nowMs(): number;
  /** Wall clock, ns since 1970-01-01 UTC (ms precision). For comparing with file times. */
  nowNs(): bigint;
  /** Monotonic, ms from an arbitrary origin. */
  monotonicMs(): number;
  /** Resolves after ms; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls back about every ms until what it returns is called. Never keeps a process alive. */
  every(ms: number, work: () => void): () => void;
}

/** Randomness, passed in so that a test can replay it. */
export interface Randomness {
  bytes(count: number): Uint8Array;
}

/** What the outside world gives every part of the program. */
export interface Seams {
  readonly clock: Clock;
  readonly randomness: Randomness;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  nowNs: () => BigInt(Date.now()) * 1_000_000n,
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    try {
      await sleep(ms, undefined, signal ? { signal } : undefined);
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    }
  },
  every: (ms, work) => {
    const timer = setInterval(work, ms).unref();
    return () => clearInterval(timer);
  },
};

export const systemSeams: Seams = {
  clock: systemClock,
  randomness: { bytes: count => new Uint8Array(randomBytes(count)) },
};

/**
 * The same, but for a wall clock that stands before 1970, which then stands still at 1970: no record of a store can
 * hold an earlier time, and none is worth losing a backup.
 */
export function since1970({ clock, randomness }: Seams): Seams {
  const nowMs = () => Math.max(0, clock.nowMs());
  const nowNs = () => (clock.nowNs() < 0n ? 0n : clock.nowNs());
  const monotonicMs = () => clock.monotonicMs();
  const sleep: Clock['sleep'] = (ms, signal) => clock.sleep(ms, signal);
  const every: Clock['every'] = (ms, work) => clock.every(ms, work);
  return { randomness, clock: { nowMs, nowNs, monotonicMs, sleep, every } };
}
