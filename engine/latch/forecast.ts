import { engineError } from '../errors.ts';
import type { FenceRecord } from './fence.ts';

/** What is known when everything has been read once and nothing is locked yet. */
export interface Expected {
  /** Entries that the window will look at again, and how long one look at all of them took just now. */
  readonly entries: number;
  readonly walkMs: number;
  /** What the rest will take inside the window, where the run stays in it until everything is stored. */
  readonly restMs: number;
  /** The window before, if there is one to learn from. */
  readonly last: { readonly fence: FenceRecord; readonly entries: number } | null;
}

/** How long the application will be held, in ms. */
export interface Forecast {
  readonly captureMs: number;
  readonly heldMs: number;
}

/**
 * What the window should take: one more walk, or as long as the last capture did for each entry, whichever is longer;
 * lock, drain and unlock as the last time.
 */
export function forecast({ entries, walkMs, restMs, last }: Expected): Forecast {
  const before = last?.fence.kind === 'latched' ? last : null;
  const asBefore = before && before.entries > 0 ? (before.fence.captureMs * entries) / before.entries : 0;
  const captureMs = Math.max(walkMs, asBefore) + restMs;
  const around = before ? before.fence.lockMs + before.fence.drainMs + before.fence.unlockMs : 0;
  return { captureMs, heldMs: captureMs + around };
}

/** Refuses before the lock what would be cut off by its budget anyway. LATCH_OVERRUN. */
export function checkForecast({ captureMs, heldMs }: Forecast, budget: { readonly maxHoldMs: number }): void {
  const { maxHoldMs } = budget;
  if (heldMs <= maxHoldMs) return;
  throw engineError(
    'LATCH_OVERRUN',
    `Cannot lock the application: it would be held for about ${Math.round(heldMs)} ms (capture ${Math.round(captureMs)} ms), latch.maxHold is ${maxHoldMs} ms`,
    {
      remedy:
        'Raise latch.maxHold, exclude what need not be in the snapshot, or run when less changes; the application was not locked.',
      context: { heldMs, captureMs, maxHoldMs },
    },
  );
}
