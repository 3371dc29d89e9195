import type { Clock } from '../../store/index.ts';
import type { LockableApplication } from '../app/index.ts';
import { engineError } from '../errors.ts';
import { unlockSurely } from './calls.ts';
import { stillLocked } from './outcome.ts';
import { isHeld, type LatchRecord, listRecords, removeRecord } from './record.ts';

export interface ReleaseOptions {
  readonly stateDir: string;
  readonly instance: string;
  readonly app: LockableApplication;
  readonly clock: Clock;
  /** The token of one lock, from a person: only that one is released, whoever holds it. */
  readonly token?: string;
  readonly patienceMs?: number;
  readonly signal?: AbortSignal;
}

export interface Released {
  /** Unlocked now. */
  readonly unlocked: number;
  /** Not locked any more with a token that was known. */
  readonly lapsed: number;
  /** What could not be decided; their records stay. */
  readonly unresolved: readonly UnresolvedLatch[];
}

export interface UnresolvedLatch {
  readonly file: string;
  readonly record: LatchRecord;
  /**
   * `no-token`: the run died before it knew one, and the application serves nobody now: if it shows its maintenance
   * page, a restart ends the lock. `elsewhere`: the lock is on another address than the configuration's.
   */
  readonly why: 'no-token' | 'elsewhere';
}

/**
 * Releases what dead runs left locked, and removes their records. For `unlock`, and before every run.
 * RUN_ACTIVE when the run that holds a lock still lives; APP_STILL_LOCKED when the application refuses.
 */
export async function releaseLatches(options: ReleaseOptions): Promise<Released> {
  const { app, token } = options;
  const counts = { unlocked: 0, lapsed: 0 };
  const unresolved: UnresolvedLatch[] = [];
  if (token !== undefined) counts[await release(options, token)] += 1;
  for (const { file, record } of await listRecords(options)) {
    if (token !== undefined) {
      if (record.token === token) await removeRecord(file);
      continue;
    }
    if (await isHeld(record)) throw stillRunning(app, record);
    if (record.application.type !== app.type || record.application.location !== app.location) {
      unresolved.push({ file, record, why: 'elsewhere' });
    } else if (record.token !== null) {
      await app.endLock(record.token);
      counts[await release(options, record.token)] += 1;
      await removeRecord(file);
    } else if (await app.isServing(options.signal ? { signal: options.signal } : {})) {
      await removeRecord(file); // nobody is locked out: the lock call was never made, or its lock is gone
    } else {
      unresolved.push({ file, record, why: 'no-token' });
    }
  }
  return { ...counts, unresolved };
}

async function release(options: ReleaseOptions, token: string): Promise<'unlocked' | 'lapsed'> {
  const { app, clock, signal } = options;
  const patienceMs = options.patienceMs ?? 10_000;
  try {
    return await unlockSurely(app, { token, clock, patienceMs, ...(signal ? { signal } : {}) });
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw stillLocked(app, { token, error, cause: error });
  }
}

function stillRunning(app: LockableApplication, record: LatchRecord): Error {
  return engineError('RUN_ACTIVE', `Cannot unlock ${app.location}: process ${record.program.pid} holds it`, {
    remedy: 'Wait until it ends, or end it with `stillpoint cancel`: it unlocks first.',
    context: { pid: record.program.pid },
  });
}
