import { type Clock, StillpointError } from '../store/index.ts';

const pauseMs = 500;
const lockedCodes: ReadonlySet<string> = new Set(['APP_LOCKED', 'RUN_ACTIVE', 'STORE_LOCKED']);

export interface Waiting {
  /** Until then, by the monotonic clock, it is tried again. */
  readonly untilMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Tries again while somebody else holds what is needed. When time is up, the last refusal is thrown. */
export async function whileLocked<T>(waiting: Waiting, attempt: () => Promise<T>): Promise<T> {
  const { untilMs, clock, signal } = waiting;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const isLocked = error instanceof StillpointError && lockedCodes.has(error.code);
      if (!isLocked || clock.monotonicMs() + pauseMs > untilMs) throw error;
    }
    await clock.sleep(pauseMs, signal);
  }
}
