import { StillpointError } from '../../store/index.ts';
import type { LatchedApplication } from '../app/index.ts';
import { engineError } from '../errors.ts';
import { settle } from '../waiting.ts';
import { lockSurely, unlockSurely } from './calls.ts';
import { type LatchOptions, patienceOf } from './options.ts';
import { hasIntention, readRecord, removeRecord } from './record.ts';
import type { Sentinel } from './sentinel-link.ts';

/** Longer than any lock call and all that lockSurely does after it: a sentinel that is silent for so long is stuck. */
const sentinelAnswerMs = 240_000;
const cancelGraceMs = 1_000;

export interface Hold {
  readonly options: LatchOptions & { readonly app: LatchedApplication };
  readonly sentinel: Sentinel;
  /** The run's record. */
  readonly file: string;
}

/** The token, or an error after which nothing of this run is locked, or APP_STILL_LOCKED. */
export async function takeLock(hold: Hold): Promise<string> {
  const { options, sentinel, file } = hold;
  const { app } = options;
  let lost: unknown;
  try {
    const answer = await sentinel.lock({ timeoutMs: sentinelAnswerMs });
    switch (answer.outcome) {
      case 'locked':
        return answer.token;
      case 'unknown':
        sentinel.leave();
        throw lockedWithoutToken(app, answer.error);
      case 'refused': {
        await sentinel.release();
        await removeRecord(file);
        const isOurs = answer.occupied && (await hasIntention(options));
        throw isOurs ? lockedWithoutToken(app, answer.error) : answer.error;
      }
      default:
        return answer satisfies never;
    }
  } catch (error) {
    if (!(error instanceof StillpointError) || error.code !== 'LATCH_LAPSED') throw error;
    lost = error;
  }
  await recover(hold, lost);
  throw lost;
}

/**
 * The sentinel died, or is stuck, with the call under way: its record may hold the token; else lock to find out. One
 * that is only slow gives back what it gets, once its pipe is closed.
 */
async function recover(hold: Hold, lost: unknown): Promise<void> {
  const { options, sentinel, file } = hold;
  const { app, clock } = options;
  sentinel.leave();
  let token = (await readRecord(file))?.token ?? undefined;
  if (token === undefined) {
    const answer = await lockSurely(app, { clock, patienceMs: patienceOf(options).lockMs });
    if (answer.outcome === 'unknown' || (answer.outcome === 'refused' && answer.occupied)) {
      throw lockedWithoutToken(app, lost);
    }
    if (answer.outcome === 'locked') token = answer.token;
  }
  if (token !== undefined) await giveBack(hold, { token, cause: lost, cancelToken: null });
  await removeRecord(file);
}

/** Unlocks until it is done or out of patience; then the sentinel goes on, and the error says what a person can do. */
export async function giveBack(
  { options, sentinel }: Hold,
  lock: {
    readonly token: string;
    /** Why the run fails; undefined when it does not. */
    readonly cause: unknown;
    /** Ends the backup task too, beside the unlock; null when it has ended. */
    readonly cancelToken: string | null;
  },
): Promise<'unlocked' | 'lapsed'> {
  const { app, clock } = options;
  const done = new AbortController();
  const canceling =
    lock.cancelToken === null
      ? Promise.resolve()
      : app.cancel(lock.cancelToken, { signal: done.signal, aside: true }).catch(() => undefined); // the unlock is what counts
  try {
    const how = await unlockSurely(app, {
      token: lock.token,
      clock,
      patienceMs: patienceOf(options).unlockMs,
    });
    await settle(canceling, { ms: cancelGraceMs, clock });
    return how;
  } catch (error) {
    sentinel.leave();
    const more = ` (process ${sentinel.pid} goes on trying)`;
    throw stillLocked(app, { token: lock.token, error, cause: lock.cause ?? error, more });
  } finally {
    done.abort();
  }
}

export function stillLocked(
  app: Pick<LatchedApplication, 'location' | 'manual'>,
  found: { readonly token: string; readonly error: unknown; readonly cause: unknown; readonly more?: string },
): StillpointError {
  const why = found.error instanceof Error ? found.error.message : String(found.error);
  const command = app.manual.unlock(found.token);
  return engineError('APP_STILL_LOCKED', `Cannot unlock ${app.location}: ${why}`, {
    remedy: `Unlock it by hand: \`stillpoint unlock\`, or ${command}${found.more ?? ''}.`,
    context: { token: found.token, command },
    cause: found.cause,
  });
}

/** A lock that may be there, and whose token went to nobody. */
export function lockedWithoutToken(
  app: Pick<LatchedApplication, 'location'>,
  cause: unknown,
): StillpointError {
  const why = cause instanceof Error ? ` (${cause.message})` : '';
  return engineError(
    'APP_STILL_LOCKED',
    `Cannot tell whether ${app.location} was locked: the answer with the token was lost${why}`,
    {
      remedy:
        `Open ${app.location} in a browser: if it shows its maintenance page, restart the application ` +
        '(every node of a cluster), which ends the lock; then run `stillpoint unlock`.',
      cause,
    },
  );
}
