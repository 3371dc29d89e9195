import type { Clock } from '../../store/index.ts';
import { StillpointError } from '../../store/index.ts';
import type { LatchedApplication, LockAnswer } from '../app/index.ts';

/** What the calls that decide about the lock need of the application. */
export type Lockable = Pick<LatchedApplication, 'lock' | 'unlock' | 'isServing' | 'location'>;

const firstPauseMs = 50;

/**
 * Unlocks, trying again with back-off until patienceMs have passed; then the last error is thrown. Nothing that an
 * answer says short of "unlocked" or "not locked with this token" ends the trying: a proxy, a restart or a rotated
 * password may be mended in the meantime, and giving up leaves people locked out.
 */
export async function unlockSurely(
  app: Lockable,
  options: {
    readonly token: string;
    readonly clock: Clock;
    readonly patienceMs: number;
    readonly pauseMaxMs?: number;
    readonly signal?: AbortSignal;
  },
): Promise<'unlocked' | 'lapsed'> {
  const { clock, token, signal } = options;
  const endMs = clock.monotonicMs() + options.patienceMs;
  let pauseMs = firstPauseMs;
  for (;;) {
    try {
      return await app.unlock(token, signal ? { signal } : {});
    } catch (error) {
      if (!(error instanceof StillpointError) || signal?.aborted) throw error;
      const leftMs = endMs - clock.monotonicMs();
      if (leftMs <= 0) throw error;
      await clock.sleep(Math.min(pauseMs, leftMs), signal);
      pauseMs = Math.min(pauseMs * 2, options.pauseMaxMs ?? 5_000);
    }
  }
}

/**
 * Locks, and when the outcome of a call is unknown finds out by calling again: a second lock that succeeds proves that
 * the first did not take effect and holds the token; one that is told "locked already" leaves the outcome unknown,
 * for that lock may be ours. When no call is answered usefully, being served proves that nobody is locked out.
 */
export async function lockSurely(
  app: Lockable,
  { clock, patienceMs }: { readonly clock: Clock; readonly patienceMs: number },
): Promise<LockAnswer> {
  const first = await app.lock();
  if (first.outcome !== 'unknown') return first;
  const endMs = clock.monotonicMs() + patienceMs;
  let pauseMs = firstPauseMs;
  for (;;) {
    await clock.sleep(pauseMs);
    const again = await app.lock();
    if (again.outcome === 'locked') return again;
    if (again.outcome === 'refused' && again.occupied) return first;
    if (clock.monotonicMs() >= endMs) {
      // Only when calls are answered is nothing of ours still under way over there.
      const settled = again.error.code === 'APP_REFUSED' && (await isServing(app));
      return settled ? { outcome: 'refused', occupied: false, error: first.error } : first;
    }
    pauseMs *= 2;
  }
}

async function isServing(app: Lockable): Promise<boolean> {
  try {
    return await app.isServing();
  } catch (error) {
    if (error instanceof StillpointError) return false; // nobody answers: nothing is proven
    throw error;
  }
}
