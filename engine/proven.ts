import type { Snapshot } from './pair.ts';

/** Clocks of two machines differ by seconds, those of one that was set by hand by hours. */
const aheadMsMax = 3_600_000;

/** What is known of an instance's snapshots. */
export interface InstanceState {
  readonly instance: string;
  readonly newest: Snapshot | null;
  /** The newest that something held together and whose time can be believed. */
  readonly newestProven: Snapshot | null;
  /** How long ago, at least 0; null without a proven one. Not less than what was committed after it says. */
  readonly ageMs: number | null;
  /** Past the limit, or nothing proven; null: no limit was asked for. */
  readonly overdue: boolean | null;
  /** Sentences about snapshots whose time is no proof. */
  readonly warnings: readonly string[];
}

export interface JudgeOptions {
  readonly nowMs: number;
  readonly maxAgeMs?: number | undefined;
  /** The configuration names no application to hold: nothing better than fence `none` is to be had. */
  readonly isUnlatched?: boolean | undefined;
}

/**
 * How fresh an instance is, from its snapshots in the order in which they were committed. A pair is proven by its fence; one
 * that lacks unreadable sources is a pair. The time of a snapshot is the clock of the host that made it, which may have been
 * wrong: one from the future proves nothing, and none is younger than one that came after it.
 */
export function judgeInstance(
  instance: string,
  snapshots: readonly Snapshot[],
  options: JudgeOptions,
): InstanceState {
  const { nowMs, maxAgeMs } = options;
  const newest = snapshots.at(-1) ?? null;
  const mayBeNone = options.isUnlatched ?? (newest !== null && namesNoApplication(newest));
  const warnings: string[] = [];
  let latestMs = nowMs;
  for (const snapshot of snapshots.toReversed()) {
    if (snapshot.timeMs > nowMs + aheadMsMax) {
      warnings.push(fromTheFuture(snapshot));
      continue;
    }
    latestMs = Math.min(latestMs, snapshot.timeMs);
    if (!isProven(snapshot, mayBeNone)) continue;
    const ageMs = nowMs - latestMs;
    const overdue = maxAgeMs === undefined ? null : ageMs > maxAgeMs;
    return { instance, newest, newestProven: snapshot, ageMs, overdue, warnings };
  }
  const overdue = maxAgeMs === undefined ? null : true;
  return { instance, newest, newestProven: null, ageMs: null, overdue, warnings };
}

/**
 * Which of an instance's snapshots stand before others where a place is for one: those that something held together and that
 * lack nothing. Fence `none` will do where there is no other.
 */
export function wholeAndProven(snapshots: readonly Snapshot[]): (snapshot: Snapshot) => boolean {
  const mayBeNone = snapshots.every(({ fence }) => fence.kind === 'none');
  return snapshot => isProven(snapshot, mayBeNone) && (snapshot.home?.unreadable.length ?? 0) === 0;
}

function isProven({ fence }: Snapshot, mayBeNone: boolean): boolean {
  switch (fence.kind) {
    case 'latched':
    case 'command':
    case 'stopped':
      return true;
    case 'none':
      return mayBeNone;
    default:
      return fence.kind satisfies never;
  }
}

/** What the configuration that made it says. */
function namesNoApplication({ configuration }: Snapshot): boolean {
  try {
    const { app } = JSON.parse(configuration) as { app?: { type?: unknown } };
    return app === undefined || app.type === 'none';
  } catch {
    return false; // it says nothing that can be read
  }
}

function fromTheFuture({ id, timeMs, instance }: Snapshot): string {
  const time = new Date(timeMs).toISOString();
  return `Snapshot ${id.slice(0, 8)} of ${instance} is from the future (${time}): a clock is or was wrong, and it counts for no age`;
}
