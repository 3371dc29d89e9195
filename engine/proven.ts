import { printableText } from './look/names.ts';
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
  /** By the store's own ledger: such a one is no pair that anybody could count on. */
  readonly isDamaged?: ((snapshot: Snapshot) => boolean) | undefined;
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
  const future = snapshots.filter(({ timeMs }) => timeMs > nowMs + aheadMsMax);
  const mayBeNone = options.isUnlatched ?? (newest !== null && namesNoApplication(newest));
  const isDamaged = options.isDamaged ?? (() => false);
  const warnings = [
    ...fromTheFuture(future, { instance, nowMs, count: snapshots.length }),
    ...foundDamaged(snapshots.filter(isDamaged), instance),
  ];
  let latestMs = nowMs;
  let oldest = snapshots.length;
  for (const [index, snapshot] of [...snapshots.entries()].reverse()) {
    if (snapshot.timeMs > nowMs + aheadMsMax) continue;
    if (snapshot.timeMs < latestMs) [latestMs, oldest] = [snapshot.timeMs, index];
    if (!isProven(snapshot, mayBeNone) || isDamaged(snapshot)) continue;
    const ageMs = nowMs - latestMs;
    const overdue = maxAgeMs === undefined ? null : ageMs > maxAgeMs;
    warnings.push(...wentBack(snapshots, { oldest, nowMs }));
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

function isProven({ fence, degraded }: Snapshot, mayBeNone: boolean): boolean {
  if (degraded) return false;
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

/** Of all together one sentence: where none is of the past, this machine's clock is the one that is wrong. */
function fromTheFuture(
  future: readonly Snapshot[],
  { instance, nowMs, count }: { readonly instance: string; readonly nowMs: number; readonly count: number },
): string[] {
  const last = future.at(-1);
  if (last === undefined) return [];
  const name = printableText(instance);
  if (future.length === count)
    return [
      `Every snapshot of ${name} is from the future, the newest of ${timeOf(last)}: this machine's clock says ${new Date(nowMs).toISOString()}, and is behind, or theirs were ahead. Set it right and ask again; until then nothing is known of their age`,
    ];
  const others = future.length > 1 ? `, and ${future.length - 1} more` : '';
  return [
    `Snapshot ${last.id.slice(0, 8)} of ${name} is from the future (${timeOf(last)})${others}: a clock is or was wrong, and that counts for no age`,
  ];
}

function foundDamaged(damaged: readonly Snapshot[], instance: string): string[] {
  const last = damaged.at(-1);
  if (last === undefined) return [];
  const others = damaged.length > 1 ? `, and so were ${damaged.length - 1} more` : '';
  return [
    `Snapshot ${last.id.slice(0, 8)} of ${printableText(instance)} was found damaged${others}, and counts for no age. \`stillpoint verify\` says what that costs, and whether it is still so`,
  ];
}

/** A clock that went back makes all that came before it look as old as it says. */
function wentBack(
  snapshots: readonly Snapshot[],
  { oldest, nowMs }: { readonly oldest: number; readonly nowMs: number },
): string[] {
  const one = snapshots[oldest];
  if (one === undefined) return [];
  const isLater = ({ timeMs }: Snapshot) => timeMs > one.timeMs + aheadMsMax && timeMs <= nowMs + aheadMsMax;
  const later = snapshots.slice(0, oldest).findLast(isLater);
  if (later === undefined) return [];
  return [
    `Snapshot ${one.id.slice(0, 8)} of ${printableText(one.instance)} says to be of ${timeOf(one)}, and came after ${later.id.slice(0, 8)} of ${timeOf(later)}: a clock was wrong, and the newest pair may be younger than it counts. The next backup with a right clock ends the doubt`,
  ];
}

const timeOf = ({ timeMs }: Snapshot): string => new Date(timeMs).toISOString();
