import type { Clock } from '../../store/index.ts';
import { StillpointError } from '../../store/index.ts';
import type { LockAnswer, LockableApplication, LockIntent } from '../app/index.ts';
import type { CommandRecord } from '../command/index.ts';

/** What the calls that decide about the lock need of the application. */
export type Lockable = Pick<LockableApplication, 'lock' | 'unlock' | 'isServing' | 'location'>;

const firstPauseMs = 50;
/** How long "not locked" must be said before it is believed while nobody is served. */
const lapseMs = 1_000;

/**
 * Unlocks, trying again with back-off until patienceMs have passed; then the last error is thrown. No answer short of
 * "unlocked" ends the trying at once: a proxy, a restart or a rotated password may be mended in the meantime, and
 * giving up leaves people locked out. "Not locked with this token" is believed when people are served, or when it is
 * said again and again: something before the application may have said it. Said once, the outcome is `lapsed`, for
 * the caller must not vouch for what was held.
 */
export async function unlockSurely(
  app: Lockable,
  options: {
    readonly token: string;
    readonly clock: Clock;
    readonly patienceMs: number;
    readonly pauseMaxMs?: number;
    readonly signal?: AbortSignal;
    readonly onCommand?: ((record: CommandRecord) => void) | undefined;
  },
): Promise<'unlocked' | 'lapsed'> {
  const { clock, token, signal, onCommand } = options;
  const endMs = clock.monotonicMs() + options.patienceMs;
  let lapsedAtMs: number | undefined;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, options.pauseMaxMs ?? 5_000)) {
    let failure: StillpointError | undefined;
    const begunMs = clock.monotonicMs();
    try {
      const how = await app.unlock(token, { ...(signal ? { signal } : {}), onCommand });
      if (how === 'unlocked') return lapsedAtMs === undefined ? how : 'lapsed';
      const nowMs = clock.monotonicMs();
      lapsedAtMs ??= nowMs;
      if (nowMs - lapsedAtMs >= lapseMs || (await isServing(app))) return how;
    } catch (error) {
      if (!(error instanceof StillpointError) || signal?.aborted) throw error;
      failure = error;
    }
    // By when the try began: one that a stopped program comes back to says nothing of now.
    if (begunMs >= endMs) {
      if (failure) throw failure;
      return 'lapsed';
    }
    await clock.sleep(Math.min(pauseMs, Math.max(0, endMs - clock.monotonicMs())), signal);
  }
}

/**
 * Locks, and when the outcome of a call is unknown finds out by calling again: a second lock that succeeds proves that
 * the first did not take effect, and holds the token; one that is told "locked already" leaves the outcome unknown,
 * for that lock may be ours. When it is refused again, being served proves that nobody is locked out. Where the token is
 * known beforehand nothing need be found out: the caller unlocks with it.
 */
export async function lockSurely(
  app: Lockable,
  options: { readonly intent: LockIntent; readonly clock: Clock; readonly patienceMs: number },
): Promise<LockAnswer> {
  const { intent, clock, patienceMs } = options;
  const first = await app.lock(intent);
  if (first.outcome !== 'unknown' || intent.token !== null) return first;
  const endMs = clock.monotonicMs() + patienceMs;
  for (let pauseMs = firstPauseMs; ; pauseMs *= 2) {
    await clock.sleep(pauseMs);
    const begunMs = clock.monotonicMs();
    const again = await app.lock(intent);
    if (again.outcome === 'locked') return again;
    if (again.outcome === 'refused' && again.occupied) return first;
    if (isSettled(first.error) && isSettled(again.error) && (await isServing(app))) {
      return { outcome: 'refused', occupied: false, error: first.error };
    }
    if (begunMs >= endMs) return first; // one that hangs past the end is not the last word
  }
}

/**
 * Whether nothing of that call is still under way over there: the application itself answered, or a proxy that had nobody
 * to pass it on to (503). One that gave up waiting (502, 504) has passed it on.
 */
function isSettled(error: StillpointError): boolean {
  const status = error.context['status'];
  return error.code === 'APP_REFUSED' && status !== 502 && status !== 504;
}

async function isServing(app: Lockable): Promise<boolean> {
  try {
    return await app.isServing();
  } catch (error) {
    if (error instanceof StillpointError) return false; // nobody answers: nothing is proven
    throw error;
  }
}
