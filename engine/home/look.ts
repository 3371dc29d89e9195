import { closeSync, constants, openSync, unlinkSync } from 'node:fs';
import { type Clock, hex, type Randomness } from '../../store/index.ts';
import { type BytePath, bytesOf, join } from './paths.ts';
import type { StatCalls } from './stat.ts';
import type { Look } from './states.ts';

/** Names of probe files begin so; they are never part of a backup. */
export const probePrefix = '.stillpoint-probe-';

const ms = 1_000_000n;
/** A kernel's coarse clock ticks at least every 10 ms. */
const marginNsMin = 20n * ms;
const marginNsUnknown = 2_000n * ms;

/** A look together with the monotonic time at which it began, so that the file system's clock can be told later. */
export interface TimedLook extends Look {
  readonly startedMonotonicMs: number;
}

/**
 * Learns a file system's clock and granularity from the times of a file made for this. Where none can be made, takes
 * the wall clock and two seconds. Changes the folder's own times.
 */
export function probeLook(
  folder: BytePath,
  { clock, randomness, stat }: { clock: Clock; randomness: Randomness; stat: StatCalls },
): TimedLook {
  const startedMonotonicMs = clock.monotonicMs();
  const path = join(folder, (probePrefix + hex(randomness.bytes(8))) as BytePath);
  let fd: number;
  try {
    fd = openSync(
      bytesOf(path),
      constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW,
      0o600,
    );
  } catch {
    // a home that may only be read is fine: the wall clock serves, with room to spare
    return { startedMonotonicMs, startedNs: clock.nowNs(), marginNs: marginNsUnknown };
  }
  try {
    const { mtimeNs } = stat.open(fd, path);
    return { startedMonotonicMs, startedNs: mtimeNs, marginNs: marginOf(mtimeNs) };
  } finally {
    closeSync(fd);
    unlinkSync(bytesOf(path));
  }
}

/** A time that ends in zeros was rounded to so many places. Guessing too coarse only costs a second read. */
export function marginOf(mtimeNs: bigint): bigint {
  const granularityNs = [2_000n * ms, 1_000n * ms, 10n * ms, ms].find(step => mtimeNs % step === 0n) ?? 1n;
  const marginNs = granularityNs >= 1_000n * ms ? 4_000n * ms : 2n * granularityNs;
  return marginNs < marginNsMin ? marginNsMin : marginNs;
}

/** The same look as if it began now, told by the monotonic clock: the wall clock may be set meanwhile. */
export function lookNow(first: TimedLook, clock: Clock): TimedLook {
  const startedMonotonicMs = clock.monotonicMs();
  const elapsedNs = BigInt(Math.floor((startedMonotonicMs - first.startedMonotonicMs) * 1e6));
  return { startedMonotonicMs, startedNs: first.startedNs + elapsedNs, marginNs: first.marginNs };
}

/** Tells whether the wall clock was ever set back while it was watched. */
export interface ClockWatch {
  readonly wentBack: boolean;
  /** Looks at both clocks. Call it often: between two calls a step must show. */
  check(): void;
}

const stepMsMin = 10;

export function watchClock(clock: Clock): ClockWatch {
  const read = () => {
    const before = clock.monotonicMs();
    const wall = clock.nowMs();
    const after = clock.monotonicMs();
    return { before, after, wall };
  };
  let last = read();
  let wentBack = false;
  return {
    get wentBack() {
      return wentBack;
    },
    check() {
      const now = read();
      const elapsedMs = now.before - last.after;
      // a clock that is slewed runs at most 1/1000 slow; one that is set back loses more than that
      if (now.wall - last.wall < elapsedMs * 0.999 - stepMsMin) wentBack = true;
      last = now;
    },
  };
}
