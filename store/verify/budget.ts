import type { Clock } from '../seams.ts';

/** How long a verification may take. Asked between steps: what was begun is finished. */
export interface Budget {
  readonly isLimited: boolean;
  /** Whether so much of the time (default: all) is over. */
  isSpent(share?: number): boolean;
}

export function budgetOf(clock: Clock, maxDurationMs: number | undefined): Budget {
  const startedMs = clock.monotonicMs();
  return {
    isLimited: maxDurationMs !== undefined,
    isSpent: (share = 1) =>
      maxDurationMs !== undefined && clock.monotonicMs() - startedMs >= maxDurationMs * share,
  };
}
