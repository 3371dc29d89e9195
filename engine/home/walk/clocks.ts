import { closeSync, constants, openSync } from 'node:fs';
import type { Clock } from '../../../store/index.ts';
import { type BytePath, bytesOf, join } from '../paths.ts';
import type { Look } from '../rows/index.ts';
import type { StatCalls } from '../system/stat.ts';

const ms = 1_000_000n;
/** A kernel's coarse clock ticks at least every 10 ms. */
const marginNsMin = 20n * ms;
const marginNsUnknown = 2_000n * ms;
/** A server's clock may be so far from ours. */
const marginNsRemote = 30_000n * ms;

/** A look together with the monotonic time at which it began, so that the file system's clock can be told later. */
export interface TimedLook extends Look {
  readonly startedMonotonicMs: number;
}

/**
 * Learns a file system's clock and granularity from the times of a file made for this, which never gets a name: nothing in
 * the home changes by it. Where none can be made (a home that may only be read, NFS, an old kernel) takes the wall clock
 * with room to spare, and more of it where the times are another machine's.
 */
export function probeLook(
  folder: BytePath,
  { clock, stat, remote = false }: { clock: Clock; stat: StatCalls; remote?: boolean },
): TimedLook {
  const startedMonotonicMs = clock.monotonicMs();
  const fd = openNameless(folder);
  if (fd === undefined) {
    return {
      startedMonotonicMs,
      startedNs: clock.nowNs(),
      marginNs: remote ? marginNsRemote : marginNsUnknown,
    };
  }
  try {
    const { mtimeNs } = stat.open(fd, join(folder, probeName));
    return { startedMonotonicMs, startedNs: mtimeNs, marginNs: marginOf(mtimeNs) };
  } finally {
    closeSync(fd);
  }
}

/** What a stat seam is told of a file that has no name. */
export const probeName = '#probe' as BytePath;
const temporary = 0o20000000 | constants.O_DIRECTORY; // O_TMPFILE, which Node does not name

function openNameless(folder: BytePath): number | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    return openSync(bytesOf(folder), temporary | constants.O_WRONLY, 0o600);
  } catch {
    return undefined;
  }
}

/** A time that ends in zeros was rounded to so many places. Guessing too coarse only costs a second read. */
export function marginOf(mtimeNs: bigint): bigint {
  const granularityNs = [2_000n * ms, 1_000n * ms, 10n * ms, ms].find(step => mtimeNs % step === 0n) ?? 1n;
  const marginNs = granularityNs >= 1_000n * ms ? 4_000n * ms : 2n * granularityNs;
  return marginNs < marginNsMin ? marginNsMin : marginNs;
}

/** The same look as if it began at another time, told by the monotonic clock: the wall clock may be set meanwhile. */
export function lookAt(look: TimedLook, monotonicMs: number): TimedLook {
  const elapsedNs = BigInt(Math.floor((monotonicMs - look.startedMonotonicMs) * 1e6));
  return {
    startedMonotonicMs: monotonicMs,
    startedNs: look.startedNs + elapsedNs,
    marginNs: look.marginNs,
  };
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
