import type { Clock } from '../../store/index.ts';
import type { LatchedApplication } from '../app/index.ts';
import { engineError } from '../errors.ts';
import { unlockSurely } from './calls.ts';
import { isAlive } from './process-identity.ts';
import { type LatchRecord, listRecords, removeRecord } from './record.ts';

export interface ReleaseOptions {
  readonly stateDir: string;
  readonly instance: string;
  readonly app: LatchedApplication;
  readonly clock: Clock;
  /** Instead of the records: the token of one lock, from a person. */
  readonly token?: string;
  readonly patienceMs?: number;
  readonly signal?: AbortSignal;
}

export interface Released {
  /** Unlocked now. */
  readonly unlocked: number;
  /** Records whose lock was gone already. */
  readonly lapsed: number;
  /** Records of runs that died before they knew a token, of an application that serves nobody now. */
  readonly unresolved: readonly LatchRecord[];
}

/**
 * Releases what runs that are dead left locked, and removes their records. For `unlock`, and before every run.
 * RUN_ACTIVE when the run that holds a lock still lives; APP_STILL_LOCKED when the application refuses.
 */
export async function releaseLatches(options: ReleaseOptions): Promise<Released> {
  const { stateDir, instance, app, clock, signal } = options;
  const counts = { unlocked: 0, lapsed: 0 };
  const unresolved: LatchRecord[] = [];
  const release = async (token: string) => {
    try {
      const patienceMs = options.patienceMs ?? 10_000;
      counts[await unlockSurely(app, { token, clock, patienceMs, ...(signal ? { signal } : {}) })] += 1;
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      const why = error instanceof Error ? error.message : String(error);
      throw engineError('APP_STILL_LOCKED', `Cannot unlock ${app.location}: ${why}`, {
        remedy: `Unlock it by hand: ${app.manual.unlock(token)}`,
        context: { token, command: app.manual.unlock(token) },
        cause: error,
      });
    }
  };
  if (options.token !== undefined) await release(options.token);
  for (const { file, record } of await listRecords(stateDir)) {
    if (record.instance !== instance || record.application.location !== app.location) continue;
    if (record.token !== null && record.token === options.token) {
      await removeRecord(file);
      continue;
    }
    if (options.token !== undefined) continue;
    if (await isAlive(record.program)) {
      throw engineError(
        'RUN_ACTIVE',
        `Cannot unlock ${app.location}: process ${record.program.pid} holds it`,
        {
          remedy: 'Wait until it ends, or end it with `stillpoint cancel`.',
          context: { pid: record.program.pid },
        },
      );
    }
    if (record.token !== null) {
      await release(record.token);
      await removeRecord(file);
    } else if (await app.isServing(signal ? { signal } : {})) {
      await removeRecord(file); // nobody is locked out: the lock call was never made, or its lock is gone
    } else {
      unresolved.push(record);
    }
  }
  return { ...counts, unresolved };
}
