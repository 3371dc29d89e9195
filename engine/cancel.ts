import { type Clock, type SnapshotId, StillpointError } from '../store/index.ts';
import { type Application, isLockable } from './app/index.ts';
import { engineError } from './errors.ts';
import { type LatchRecord, listRecords, releaseLatches, type WatchedRun, watchRun } from './latch/index.ts';
import { isAlive, type ProcessIdentity } from './process-identity.ts';
import type { Phase } from './progress.ts';
import { currentUser, ownerOf } from './user.ts';

/**
 * A run that unlocks needs less; one that does not is stuck, and people wait. Once it holds no lock it may drop a view and
 * run the administrator's commands first, which have five minutes.
 */
const graceDefault = { lockedMs: 15_000, unlockedMs: 330_000 };
/** A killed process that is still there by then waits for a disk. */
const killMs = 10_000;
/** What a sentinel needs to unlock when its program is gone. */
const sentinelMs = 3_000;
const lookEveryMs = 30;
const tellAfterMs = 2_000;

export interface CancelOptions {
  readonly stateDir: string;
  readonly instance: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** How long a run may take to end by itself, from when it was told to: while it locks, and when it does not. */
  readonly grace?: { readonly lockedMs: number; readonly unlockedMs: number };
  /** Called once when the end takes longer than a moment. */
  readonly onWait?: (pid: number) => void;
  /** Opened only where the run left a lock behind; closed here. */
  readonly openApp: () => Application;
  /** For a run that died while it committed: the snapshot that it made since then, if any. */
  readonly findSnapshot: (sinceMs: number) => Promise<SnapshotId | null>;
}

/** What became of a run. */
export interface CanceledRun {
  readonly pid: number;
  readonly sinceMs: number;
  /** Where it was when it was told to end; null: it did not say. */
  readonly phase: Phase | null;
  /** It did not end by itself. */
  readonly isKilled: boolean;
  /** It held the application, which is unlocked now. */
  readonly wasLocked: boolean;
  /** It had committed before it could be ended. */
  readonly snapshot: SnapshotId | null;
}

/** Without a run; how many locks earlier ones left behind. */
export interface NothingToCancel {
  readonly leftLocks: number;
}

/**
 * Ends the run of an instance on this host: it unlocks, cancels its task in the application and leaves no snapshot. One
 * that is stopped is woken for it; one that does not end is killed, and its sentinel unlocks. RUN_ACTIVE when this user may
 * not, or the process does not die; APP_STILL_LOCKED when what it left cannot be unlocked.
 */
export async function cancelRun(options: CancelOptions): Promise<CanceledRun | NothingToCancel> {
  const { stateDir, instance } = options;
  await using run = await readable(stateDir, () => watchRun({ stateDir, instance }));
  if (!run) return { leftLocks: (await readable(stateDir, () => listRecords(options))).length };
  const { holder, sinceMs } = run;
  const { phase } = await run.readNote();
  const { wasLocked, isKilled } = await endRun(run, options);
  if (isKilled) await sentinelUnlocks(holder, options);
  const hadLeft = await releaseLeft(holder, options);
  const last = await run.readNote();
  const mayHaveCommitted = last.snapshot === null && (last.phase === 'commit' || last.phase === null);
  return {
    ...{ pid: holder.pid, sinceMs, phase, isKilled },
    wasLocked: wasLocked || hadLeft,
    snapshot: last.snapshot ?? (mayHaveCommitted ? await options.findSnapshot(sinceMs) : null),
  };
}

/** A folder of another user: only that user, or root, can say what runs. */
async function readable<T>(stateDir: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const fault = cause instanceof StillpointError ? cause.cause : cause;
    const code = (fault as NodeJS.ErrnoException | undefined)?.code;
    if (code !== 'EACCES' && code !== 'EPERM') throw cause;
    const owner = await ownerOf(stateDir);
    throw engineError('CONFIG_INVALID', `Cannot look for a run: ${currentUser()} may not read ${stateDir}`, {
      remedy: `Run it as the user that runs the backup (${owner ?? 'the owner of that folder'}), or as root.`,
      cause,
    });
  }
}

async function endRun(
  { holder }: WatchedRun,
  options: CancelOptions,
): Promise<{ wasLocked: boolean; isKilled: boolean }> {
  let wasLocked = false;
  const look = async () => {
    const isLocked = (await recordsOf(holder, options)).length > 0;
    wasLocked ||= isLocked;
    return isLocked;
  };
  await look();
  // A stopped process gets the first when it goes on with the second; to one that works the second is nothing.
  for (const signal of ['SIGTERM', 'SIGCONT'] as const) await send(holder, signal);
  const { lockedMs, unlockedMs } = options.grace ?? graceDefault;
  if (await hasEnded(holder, { ...options, look, msMax: isLocked => (isLocked ? lockedMs : unlockedMs) })) {
    return { wasLocked, isKilled: false };
  }
  await send(holder, 'SIGKILL');
  if (await hasEnded(holder, { ...options, look, msMax: () => killMs })) return { wasLocked, isKilled: true };
  throw engineError('RUN_ACTIVE', `Cannot end process ${holder.pid}: it was killed and is still there`, {
    remedy:
      'It waits for a disk or a network file system that does not answer; mend that. Its sentinel unlocks at latch.maxHold.',
    context: { pid: holder.pid },
  });
}

/** To that very process: never to another that has its number now. */
async function send(holder: ProcessIdentity, signal: NodeJS.Signals): Promise<void> {
  if (!(await isAlive(holder))) return;
  try {
    process.kill(holder.pid, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ESRCH') return; // it ended just now
    const owner = await ownerOf(`/proc/${holder.pid}`);
    throw engineError('RUN_ACTIVE', `Cannot end process ${holder.pid}: ${currentUser()} may not`, {
      remedy: `Run it as the user that runs the backup (${owner ?? 'the owner of that process'}), or as root.`,
      context: { pid: holder.pid },
      cause: error,
    });
  }
}

async function hasEnded(
  holder: ProcessIdentity,
  {
    clock,
    signal,
    look,
    msMax,
    onWait,
  }: CancelOptions & {
    readonly look: () => Promise<boolean>;
    readonly msMax: (isLocked: boolean) => number;
  },
): Promise<boolean> {
  const startedMs = clock.monotonicMs();
  let hasTold = false;
  while (await isAlive(holder)) {
    const tookMs = clock.monotonicMs() - startedMs;
    if (tookMs > msMax(await look())) return false;
    if (tookMs > tellAfterMs && !hasTold) {
      hasTold = true;
      onWait?.(holder.pid);
    }
    await clock.sleep(lookEveryMs, signal);
  }
  return true;
}

/** Of that process; another run of the instance may have begun. */
async function recordsOf(holder: ProcessIdentity, options: CancelOptions): Promise<LatchRecord[]> {
  const found = (await listRecords(options)).map(({ record }) => record);
  return found.filter(({ program }) => program.pid === holder.pid && program.started === holder.started);
}

async function sentinelUnlocks(holder: ProcessIdentity, options: CancelOptions): Promise<void> {
  const { clock, signal } = options;
  const endMs = clock.monotonicMs() + sentinelMs;
  while ((await recordsOf(holder, options)).length > 0 && clock.monotonicMs() < endMs) {
    await clock.sleep(lookEveryMs, signal);
  }
}

/** What neither the run nor its sentinel released: as `unlock` does. True when there was something. */
async function releaseLeft(holder: ProcessIdentity, options: CancelOptions): Promise<boolean> {
  if ((await recordsOf(holder, options)).length === 0) return false;
  const app = options.openApp();
  try {
    if (!isLockable(app)) {
      throw engineError(
        'APP_STILL_LOCKED',
        'Cannot unlock: the configuration names no application to unlock',
        {
          remedy: 'Run `stillpoint unlock` with the configuration that the run had.',
        },
      );
    }
    const { unresolved } = await releaseLatches({ ...options, app });
    const [left] = unresolved;
    if (!left) return true;
    throw engineError(
      'APP_STILL_LOCKED',
      `Cannot tell whether ${left.record.application.location} is locked`,
      {
        remedy: 'If its maintenance page shows, restart the application; then run `stillpoint unlock`.',
        context: { file: left.file, why: left.why },
      },
    );
  } catch (error) {
    // Another run of the instance has begun: it released what this one left before it locked.
    if (error instanceof StillpointError && error.code === 'RUN_ACTIVE') return true;
    throw error;
  } finally {
    await app.close();
  }
}
