import { StillpointError } from '../../store/index.ts';
import type { CallOptions, LockableApplication, LockIntent } from '../app/index.ts';
import { engineError } from '../errors.ts';
import { settle } from '../waiting.ts';
import { lockSurely, unlockSurely } from './calls.ts';
import { type LatchOptions, patienceOf } from './options.ts';
import { hasIntention, noteToken, readRecord, removeRecord } from './record.ts';
import type { Sentinel } from './sentinel-link.ts';

/** Longer than any lock call and all that lockSurely does after it: a sentinel that is silent for so long is stuck. */
const sentinelAnswerMs = 240_000;
/** What a sentinel may need on top of a lock call that takes longer still. */
const answerSlackMs = 30_000;
const cancelGraceMs = 1_000;

export interface Hold {
  readonly options: LatchOptions & { readonly app: LockableApplication };
  readonly sentinel: Sentinel;
  /** The run's record. */
  readonly file: string;
  /** What to lock with; its token, where it is ours to choose, unlocks whatever became of the lock call. */
  readonly intent: LockIntent;
}

/** The token, or an error after which nothing of this run is locked, or APP_STILL_LOCKED. */
export async function takeLock(hold: Hold): Promise<string> {
  const { options, sentinel, file, intent } = hold;
  const { app } = options;
  let lost: unknown;
  try {
    const answer = await sentinel.lock({
      timeoutMs: Math.max(sentinelAnswerMs, app.lockMsMax + answerSlackMs),
    });
    switch (answer.outcome) {
      case 'locked':
        for (const record of answer.commands ?? []) options.onCommand?.(record);
        return answer.token;
      case 'unknown':
        if (intent.token === null) {
          sentinel.leave();
          throw lockedWithoutToken(app, answer.error);
        }
        await giveBack(hold, { token: intent.token, cause: answer.error });
        await sentinel.release();
        await removeRecord(file);
        throw answer.error;
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
  const { options, sentinel, file, intent } = hold;
  const { app, clock } = options;
  const isGone = sentinel.lost.aborted;
  sentinel.leave();
  const record = await readRecord(file);
  let token = record?.token ?? intent.token ?? undefined;
  if (token === undefined) {
    const answer = await lockSurely(app, { intent, clock, patienceMs: patienceOf(options).lockMs });
    if (answer.outcome === 'unknown' || (answer.outcome === 'refused' && answer.occupied)) {
      throw lockedWithoutToken(app, lost);
    }
    if (answer.outcome === 'locked') token = answer.token;
    if (record && token !== undefined) noteToken(file, { ...record, token }); // should this process die, too
  }
  if (intent.token !== null) await app.endLock(intent.token);
  if (token !== undefined) await giveBack(hold, { token, cause: lost });
  // One that was silent may still make its call: it removes the record when it has given that lock back, too.
  if (isGone || intent.token !== null) await removeRecord(file);
}

/** Unlocks until it is done or out of patience; then the sentinel goes on, and the error says what a person can do. */
export async function giveBack(
  { options, sentinel }: Hold,
  lock: {
    readonly token: string;
    /** Why the run fails; undefined when it does not. */
    readonly cause: unknown;
    /** Ends what goes on inside the application, beside the unlock. */
    readonly cancel?: ((options: CallOptions) => Promise<void>) | undefined;
  },
): Promise<'unlocked' | 'lapsed'> {
  const { app, clock } = options;
  const done = new AbortController();
  const canceling = lock.cancel?.({ signal: done.signal, aside: true }).catch(() => undefined); // the unlock is what counts
  try {
    const how = await unlockSurely(app, {
      token: lock.token,
      clock,
      patienceMs: patienceOf(options).unlockMs,
      onCommand: options.onCommand,
    });
    if (canceling) await settle(canceling, { ms: cancelGraceMs, clock });
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
  app: Pick<LockableApplication, 'location' | 'manual'>,
  found: { readonly token: string; readonly error: unknown; readonly cause: unknown; readonly more?: string },
): StillpointError {
  const what = `Cannot unlock ${app.location}: `;
  const why = (found.error instanceof Error ? found.error.message : String(found.error)).replace(what, '');
  const command = app.manual.unlock(found.token);
  return engineError('APP_STILL_LOCKED', `${what}${why}`, {
    remedy: `Unlock it by hand: \`stillpoint unlock\`, or ${command}${found.more ?? ''}.`,
    context: { token: found.token, command },
    cause: found.cause,
  });
}

/** A lock that may be there, and whose token went to nobody. */
export function lockedWithoutToken(
  app: Pick<LockableApplication, 'location'>,
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
