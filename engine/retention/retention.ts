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
  /** Something held the pair together, and nothing is missing. Default true. */
  readonly isProven?: boolean;
  /** The ledger says that all of it was verified, or drilled, and was well; 'maybe': a part of the ledger cannot be read. */
  readonly isVerified?: boolean | 'maybe';
  readonly isDrilled?: boolean;
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

/** Tags that no snapshot has, where nothing but tags is to keep any: perhaps a slip. */
export function absentTags(policy: RetentionPolicy, snapshots: Iterable<Pick<Retainable, 'tags'>>): string[] {
  if (policy.keepLast || hasTimeRule(policy)) return [];
  const tags = new Set([...snapshots].flatMap(one => one.tags));
  return [...new Set(policy.keepTag)].filter(tag => !tags.has(tag));
}

function hasTimeRule(policy: RetentionPolicy): boolean {
  return Boolean(policy.keepWithinMs) || timeRules.some(([rule]) => policy[rule]);
}

/**
 * Decides about the snapshots of one instance, given in the store's order, oldest first; answers in the same order.
 *
 * There is a floor that no policy crosses: the newest, the newest proven, verified and drilled one; and where the newest verified
 * may be any of those after one that is known, all of them. A snapshot that is not
 * proven takes no proven one's place: each rule keeps of the proven ones what it would keep without the others.
 *
 * The order is what counts, not the clock: the last snapshot of an hour or a day is the one that came last. A time that
 * lies ahead of now, or before that of an earlier snapshot, is not believed: such a snapshot stands for no day and takes
 * no real one's place, and is kept wherever times decide; so is the one that casts the doubt, lest the next prune decide
 * otherwise. What is held is kept and counts for no rule, so that a hold never costs another snapshot its place.
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

function* keepers(snapshots: readonly Retainable[], options: RetentionOptions): Generator<Keeper> {
  const { policy, held } = options;
  const places = [...snapshots.keys()];
  yield* floor(snapshots);
  for (const index of places) if (held.has(snapshots[index]!.id)) yield [index, 'hold'];
  if (isEmptyPolicy(policy)) {
    for (const index of places) yield [index, 'no policy'];
    return;
  }
  const proven = places.filter(index => isProven(snapshots[index]!));
  const stretchesAt = remembering(calendarIn(options.timeZone));
  const rules = { ...options, stretchesAt };
  yield* once([...byRules(snapshots, proven, rules), ...byRules(snapshots, places, rules)]);
  for (const tag of new Set(policy.keepTag)) {
    for (const index of places) if (snapshots[index]!.tags.includes(tag)) yield [index, `tag ${tag}`];
  }
}

/** The calendar's answers cost more than all else here, and both looks ask for the same ones. */
function remembering(stretchesAt: (ms: number) => Stretches): (ms: number) => Stretches {
  const known = new Map<number, Stretches>();
  return ms => {
    const found = known.get(ms) ?? stretchesAt(ms);
    known.set(ms, found);
    return found;
  };
}

interface Rules extends RetentionOptions {
  readonly stretchesAt: (ms: number) => Stretches;
}

function isProven({ isProven = true }: Retainable): boolean {
  return isProven;
}

/** What is kept whatever the policy says; of those that are not proven only what has no proven one beside it. */
function* floor(snapshots: readonly Retainable[]): Generator<Keeper> {
  const conditions: readonly (readonly [string, (one: Retainable) => boolean])[] = [
    ['newest', () => true],
    ['newest proven', isProven],
    ['newest verified', one => one.isVerified === true],
    ['newest drilled', one => one.isDrilled === true],
  ];
  const keepers: Keeper[] = [];
  for (const [reason, holds] of conditions) {
    const newest = snapshots.findLastIndex(holds);
    const newestProven = snapshots.findLastIndex(one => holds(one) && isProven(one));
    if (newest >= 0) keepers.push([newest, reason]);
    if (newestProven >= 0 && reason !== 'newest') keepers.push([newestProven, reason]);
  }
  const verified = snapshots.findLastIndex(one => one.isVerified === true);
  for (let index = verified + 1; index < snapshots.length; index += 1)
    if (snapshots[index]!.isVerified === 'maybe') keepers.push([index, 'perhaps the newest verified']);
  // Where the newest is proven, as nearly always, one word says it.
  const last = snapshots.length - 1;
  yield* once(keepers.filter(([index, reason]) => reason !== 'newest proven' || index !== last));
}

function* once(keepers: Iterable<Keeper>): Generator<Keeper> {
  const seen = new Set<string>();
  for (const [index, reason] of keepers) {
    const key = `${index} ${reason}`;
    if (seen.has(key)) continue;
    seen.add(key);
    yield [index, reason];
  }
}

/** What the rules that count or look at times keep of some snapshots, as if there were no others. */
function* byRules(
  snapshots: readonly Retainable[],
  places: readonly number[],
  { policy, stretchesAt, nowMs, held }: Rules,
): Generator<Keeper> {
  const counted = places.filter(index => !held.has(snapshots[index]!.id));
  const { keepLast = 0 } = policy;
  if (keepLast > 0) for (const index of counted.slice(-keepLast).reverse()) yield [index, 'last'];
  if (!hasTimeRule(policy)) return;
  const { times, doubts } = believedTimes(snapshots, { places, nowMs });
  const believed = counted.filter(index => times.has(index));
  yield* lastOfEach(snapshots, { believed, times, policy, stretchesAt });
  yield* within(times, policy.keepWithinMs ?? 0);
  for (const [index, reason] of doubts) if (!held.has(snapshots[index]!.id)) yield [index, reason];
}

function* lastOfEach(
  snapshots: readonly Retainable[],
  given: {
    readonly believed: readonly number[];
    readonly times: ReadonlyMap<number, number>;
    readonly policy: RetentionPolicy;
    readonly stretchesAt: (ms: number) => Stretches;
  },
): Generator<Keeper> {
  const dated = given.believed.map(index => ({ index, ms: given.times.get(index)! }));
  const stretched = dated.map(one => ({ ...one, ...given.stretchesAt(one.ms) }));
  for (const [rule, word, unit] of timeRules) {
    const slots = new Map<string, (typeof stretched)[number]>();
    for (const one of stretched) {
      const standing = slots.get(one[unit]);
      // In the order of commits, so that a later one stands before an earlier; a proven one before all others.
      const isBetter = !standing || isProven(snapshots[one.index]!) || !isProven(snapshots[standing.index]!);
      if (isBetter) slots.set(one[unit], one);
    }
    const newestFirst = [...slots].sort(([, a], [, b]) => b.ms - a.ms || b.index - a.index);
    for (const [name, { index }] of newestFirst.slice(0, given.policy[rule] ?? 0))
      yield [index, `${word} ${name}`];
  }
}

function* within(times: ReadonlyMap<number, number>, keepWithinMs: number): Generator<Keeper> {
  if (keepWithinMs === 0) return;
  let newestMs = Number.NEGATIVE_INFINITY;
  for (const ms of times.values()) newestMs = Math.max(newestMs, ms);
  for (const [index, ms] of times)
    if (newestMs - ms <= keepWithinMs) yield [index, `within ${durationText(keepWithinMs)}`];
}

/**
 * The times of those that are believed, by their places, and who is kept because of a doubt, and why. What is believed does
 * not depend on what a prune drops: so a second one decides as the first.
 */
function believedTimes(
  snapshots: readonly Retainable[],
  { places, nowMs }: { readonly places: readonly number[]; readonly nowMs: number },
): { readonly times: ReadonlyMap<number, number>; readonly doubts: readonly Keeper[] } {
  const times = new Map<number, number>();
  const doubts: Keeper[] = [];
  let newest: { readonly index: number; readonly ms: number } | undefined;
  for (const index of places) {
    const { timeMs } = snapshots[index]!;
    if (timeMs > nowMs + skewMsMax) doubts.push([index, 'dated in the future']);
    else if (timeMs < (newest?.ms ?? 0) - skewMsMax) {
      doubts.push([index, 'dated before an earlier snapshot']);
      if (newest) doubts.push([newest.index, 'dated after a later snapshot']);
    } else {
      times.set(index, timeMs);
      if (newest === undefined || timeMs >= newest.ms) newest = { index, ms: timeMs };
    }
  }
  return { times, doubts };
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
