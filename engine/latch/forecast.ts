import { engineError } from '../errors.ts';
import type { FenceRecord } from './fence.ts';

/** What is known when everything has been read once and nothing is locked yet. */
export interface Expected {
  /** Entries that the window will look at again, and how long one look at all of them took just now. */
  readonly entries: number;
  readonly walkMs: number;
  /** What the rest will take inside the window, where the run stays in it until everything is stored. */
  readonly restMs: number;
  /** The newest windows of the instance: one that was slow by chance must not decide alone. */
  readonly windows: readonly Window[];
}

/** A window of an earlier snapshot, and how many entries it looked at. */
export interface Window {
  readonly fence: FenceRecord;
  readonly entries: number;
}

/** How long the application will be held, in ms. */
export interface Forecast {
  readonly captureMs: number;
  readonly heldMs: number;
}

/**
 * What the window should take: one more walk, or as long as captures lately did for each entry, whichever is longer;
 * lock, drain and unlock as lately. "Lately" is the median.
 */
export function forecast({ entries, walkMs, restMs, windows }: Expected): Forecast {
  const held = windows.filter(({ fence }) => fence.kind === 'latched' || fence.kind === 'command');
  const perEntryMs = held
    .filter(window => window.entries > 0)
    .map(window => window.fence.captureMs / window.entries);
  const aroundMs = held.map(({ fence }) => fence.lockMs + fence.drainMs + fence.unlockMs);
  const captureMs = Math.max(walkMs, medianOf(perEntryMs) * entries) + restMs;
  return { captureMs, heldMs: captureMs + medianOf(aroundMs) };
}

/** Of two in the middle the larger; 0 of none. */
function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
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
