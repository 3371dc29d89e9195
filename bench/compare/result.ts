import type { Cost } from './cost.ts';

/** What has to be reached. */
export type Target =
  /** Ours takes at most 1/factor of what the other takes, in the same round. */
  | { readonly kind: 'times-better'; readonly than: string; readonly factor: number }
  /** Ours is at most this. */
  | { readonly kind: 'at-most'; readonly value: number }
  /** One series is at most so many times another. */
  | { readonly kind: 'grows-at-most'; readonly of: string; readonly than: string; readonly factor: number }
  /** One series is at most so much more than another. */
  | { readonly kind: 'more-at-most'; readonly of: string; readonly than: string; readonly value: number };

/** At least so many times better than another. */
export const better = (than: string, factor: number): Target => ({ kind: 'times-better', than, factor });

export const units = { seconds: 's', bytes: 'B', share: '%', milliseconds: 'ms' } as const;

/** One piece of work as each did it, round by round. */
export interface Step {
  readonly name: string;
  readonly unit: keyof typeof units;
  /**
   * By who did it, ours first; the same place in each list is the same round where they are as many. Where it is about
   * growth, by how much there was.
   */
  readonly runs: Readonly<Record<string, readonly number[]>>;
  /** The same runs with processor time and memory, where a program was run. */
  readonly costs?: Readonly<Record<string, readonly Cost[]>>;
  readonly targets: readonly Target[];
}

export interface WorkloadResult {
  readonly workload: string;
  /** What was worked on, in figures. */
  readonly data: Readonly<Record<string, number | string>>;
  readonly steps: readonly Step[];
  readonly seconds: number;
}

export interface Judged {
  readonly target: Target;
  /** How many times better, the value, how many times as much, how much more: medians, over the rounds where they pair. */
  readonly reached: number;
  readonly isMet: boolean;
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** What came of the targets; those against somebody who was not there are left out. */
export function judge({ runs, targets }: Step): Judged[] {
  return targets.flatMap((target): Judged[] => {
    switch (target.kind) {
      case 'at-most': {
        const reached = median(runs[ourName]!);
        return [{ target, reached, isMet: reached <= target.value }];
      }
      case 'times-better': {
        const theirs = runs[target.than];
        if (!theirs || theirs.length === 0) return [];
        const reached = timesBetter(runs[ourName]!, theirs);
        return [{ target, reached, isMet: reached >= target.factor }];
      }
      case 'grows-at-most': {
        const reached = median(runs[target.of]!) / median(runs[target.than]!);
        return [{ target, reached, isMet: reached <= target.factor }];
      }
      case 'more-at-most': {
        const reached = median(runs[target.of]!) - median(runs[target.than]!);
        return [{ target, reached, isMet: reached <= target.value }];
      }
      default:
        return target satisfies never;
    }
  });
}

function timesBetter(ours: readonly number[], theirs: readonly number[]): number {
  if (ours.length !== theirs.length) return median(theirs) / median(ours);
  return median(ours.map((our, round) => theirs[round]! / our));
}

export const ourName = 'stillpoint';
