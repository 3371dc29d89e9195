import { calendarIn, type Stretches } from './calendar.ts';

/** What is kept. A rule that is absent or 0 keeps nothing; the rules are independent of each other. */
export interface RetentionPolicy {
  /** The newest so many. */
  readonly keepLast?: number | undefined;
  /** The last snapshot of each of the newest so many hours that have one; likewise of days, weeks, months and years. */
  readonly keepHourly?: number | undefined;
  readonly keepDaily?: number | undefined;
  readonly keepWeekly?: number | undefined;
  readonly keepMonthly?: number | undefined;
  readonly keepYearly?: number | undefined;
  /** All that were taken so many ms before the instance's newest snapshot, or later. */
  readonly keepWithinMs?: number | undefined;
  /** All that carry one of these tags. */
  readonly keepTag?: readonly string[] | undefined;
}

/** What retention looks at. */
export interface Retainable {
  readonly id: string;
  readonly timeMs: number;
  readonly tags: readonly string[];
}

export interface RetentionOptions {
  readonly policy: RetentionPolicy;
  /** An IANA name: where days and weeks begin. */
  readonly timeZone: string;
  readonly nowMs: number;
  /** Ids of those that are kept from every policy. */
  readonly held: ReadonlySet<string>;
}

export interface Verdict<Snapshot> {
  readonly snapshot: Snapshot;
  readonly isKept: boolean;
  /** Everything that keeps it, such as `newest`, `last`, `daily 2026-11-21`, `hold`; why not, when it is not kept. */
  readonly reasons: readonly string[];
}

/** By so much clocks of different machines may differ before a time is not believed. */
const skewMsMax = 3_600_000;

const timeRules = [
  ['keepHourly', 'hourly', 'hour'],
  ['keepDaily', 'daily', 'day'],
  ['keepWeekly', 'weekly', 'week'],
  ['keepMonthly', 'monthly', 'month'],
  ['keepYearly', 'yearly', 'year'],
] as const satisfies readonly (readonly [keyof RetentionPolicy, string, keyof Stretches])[];

/** True for a policy without a rule: it forgets nothing. */
export function isEmptyPolicy(policy: RetentionPolicy): boolean {
  return !policy.keepLast && !policy.keepTag?.length && !hasTimeRule(policy);
}

function hasTimeRule(policy: RetentionPolicy): boolean {
  return Boolean(policy.keepWithinMs) || timeRules.some(([rule]) => policy[rule]);
}

/**
 * Decides about the snapshots of one instance, given in the store's order, oldest first; answers in the same order.
 *
 * The order is what counts, not the clock: the last snapshot of an hour or a day is the one that came last. A time that
 * lies ahead of now, or before that of an earlier snapshot, is not believed: such a snapshot stands for no day and takes
 * no real one's place, and is kept wherever times decide. The newest is always kept. What is held is kept and counts for
 * no rule, so that a hold never costs another snapshot its place.
 */
export function applyRetention<Snapshot extends Retainable>(
  snapshots: readonly Snapshot[],
  options: RetentionOptions,
): Verdict<Snapshot>[] {
  const reasons = snapshots.map((): string[] => []);
  for (const [index, reason] of keepers(snapshots, options)) reasons[index]!.push(reason);
  return snapshots.map((snapshot, index) => {
    const own = reasons[index]!;
    const isKept = own.length > 0;
    return { snapshot, isKept, reasons: isKept ? own : ['no rule keeps it'] };
  });
}

/** The place of a snapshot, and what keeps it. */
type Keeper = readonly [index: number, reason: string];

function* keepers(
  snapshots: readonly Retainable[],
  { policy, timeZone, nowMs, held }: RetentionOptions,
): Generator<Keeper> {
  const places = [...snapshots.keys()];
  if (places.length > 0) yield [places.length - 1, 'newest'];
  for (const index of places) if (held.has(snapshots[index]!.id)) yield [index, 'hold'];
  if (isEmptyPolicy(policy)) {
    for (const index of places) yield [index, 'no policy'];
    return;
  }
  const newestFirst = places.filter(index => !held.has(snapshots[index]!.id)).reverse();
  for (const index of newestFirst.slice(0, policy.keepLast ?? 0)) yield [index, 'last'];
  if (hasTimeRule(policy)) {
    const times = believedTimes(snapshots, nowMs);
    yield* lastOfEach(newestFirst, { times, policy, timeZone });
    yield* within(times, policy.keepWithinMs ?? 0);
    for (const index of newestFirst) if (typeof times[index] === 'string') yield [index, times[index]];
  }
  for (const tag of new Set(policy.keepTag)) {
    for (const index of places) if (snapshots[index]!.tags.includes(tag)) yield [index, `tag ${tag}`];
  }
}

/** ms since 1970, or why it is not believed. */
type BelievedTime = number | string;

function* lastOfEach(
  newestFirst: readonly number[],
  given: {
    readonly times: readonly BelievedTime[];
    readonly policy: RetentionPolicy;
    readonly timeZone: string;
  },
): Generator<Keeper> {
  const stretchesAt = calendarIn(given.timeZone);
  const stretches = given.times.map(time => (typeof time === 'number' ? stretchesAt(time) : undefined));
  for (const [rule, word, unit] of timeRules) {
    const seen = new Set<string>();
    for (const index of newestFirst) {
      const name = stretches[index]?.[unit];
      if (name === undefined || seen.has(name)) continue;
      if (seen.size >= (given.policy[rule] ?? 0)) break;
      seen.add(name);
      yield [index, `${word} ${name}`];
    }
  }
}

function* within(times: readonly BelievedTime[], keepWithinMs: number): Generator<Keeper> {
  if (keepWithinMs === 0) return;
  const newestMs = times.findLast(time => typeof time === 'number') ?? 0;
  for (const [index, time] of times.entries()) {
    if (typeof time === 'number' && newestMs - time <= keepWithinMs)
      yield [index, `within ${durationText(keepWithinMs)}`];
  }
}

/** Each snapshot's time, made to never go back, or why it is not believed. */
function believedTimes(snapshots: readonly Retainable[], nowMs: number): BelievedTime[] {
  let newestMs = 0;
  return snapshots.map(({ timeMs }) => {
    if (timeMs > nowMs + skewMsMax) return 'dated in the future';
    if (timeMs < newestMs - skewMsMax) return 'dated before an earlier snapshot';
    newestMs = Math.max(newestMs, timeMs);
    return newestMs;
  });
}

/** As a person writes it: `7d`, `26h`, `90s`. */
function durationText(ms: number): string {
  for (const [unit, unitMs] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1_000],
  ] as const) {
    if (ms % unitMs === 0) return `${ms / unitMs}${unit}`;
  }
  return `${ms}ms`;
}
