import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, StillpointError } from '../store/index.ts';
import type { Application } from './app/index.ts';
import { isHeld, type LatchRecord, listRuns, readRecord } from './latch/index.ts';
import type { Phase } from './progress.ts';
import { within } from './waiting.ts';

/** A backup that runs on this host. */
export interface RunState {
  readonly instance: string;
  readonly pid: number;
  readonly sinceMs: number;
  /** null: it did not say. */
  readonly phase: Phase | null;
}

/** A lock of this program, as its record says. */
export interface LockState {
  readonly instance: string;
  readonly location: string;
  readonly pid: number;
  /** RFC 3339. */
  readonly since: string;
  /** False: the program died. Its sentinel may still be at work. */
  readonly isRunning: boolean;
  readonly hasToken: boolean;
}

/** What this host knows of its runs. Reads the state folder alone. */
export async function readLocalState(stateDir: string): Promise<{ running: RunState[]; locks: LockState[] }> {
  const runs = await listRuns(stateDir);
  const locks: LockState[] = [];
  for (const record of await latchRecords(join(stateDir, 'latches'))) {
    const { instance, application, program, lockRequestedAt, token } = record;
    const known = { instance, location: application.location, pid: program.pid, since: lockRequestedAt };
    locks.push({ ...known, isRunning: await isHeld(record), hasToken: token !== null });
  }
  return {
    running: runs.map(({ instance, holder, sinceMs, note }) => {
      return { instance, pid: holder.pid, sinceMs, phase: note.phase };
    }),
    locks,
  };
}

/** Of all instances. */
async function latchRecords(folder: string): Promise<LatchRecord[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const found: LatchRecord[] = [];
  for (const name of names.filter(one => one.endsWith('.json')).sort()) {
    const record = await readRecord(join(folder, name));
    if (record) found.push(record);
  }
  return found;
}

/** Whether people can work, and who keeps them from it. */
export interface ApplicationState {
  readonly type: string;
  readonly location: string;
  readonly version: string | null;
  /** null: this kind of application cannot be asked. */
  readonly isServing: boolean | null;
  /** `run`, `dead-run`: of this program on this host. `other`: of somebody else. null: it is not locked, or that is unknown. */
  readonly lockedBy: 'run' | 'dead-run' | 'other' | null;
  /** Why it could not be asked, or does not serve. */
  readonly problem: string | null;
}

/** Long enough for a slow page, short enough for a monitor. */
const answerMsMax = 8_000;

/** Asks the application, and never for longer than some seconds. Never throws for what it answers. */
export async function askApplication(
  app: Application,
  options: { readonly locks: readonly LockState[]; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<ApplicationState> {
  const { type, location } = app;
  const nothing = { type, location, version: null, isServing: null, lockedBy: null, problem: null };
  if (app.fence !== 'latched') return { ...nothing, lockedBy: ownLock(app, options.locks) };
  const { signal, clock } = options;
  const ask = async (): Promise<ApplicationState> => {
    const isServing = await app.isServing({ signal });
    if (!isServing) return { ...nothing, isServing, ...(await whoLocks(app, options)) };
    const { version } = await app.describe({ signal });
    return { ...nothing, version, isServing };
  };
  try {
    const late = () => new Error(`Cannot ask ${location}: no answer in ${answerMsMax / 1000} s`);
    return await within(ask(), { ms: answerMsMax, clock, late });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    return { ...nothing, isServing: false, problem: (error as Error).message };
  }
}

function ownLock(app: Application, locks: readonly LockState[]): 'run' | 'dead-run' | null {
  const ours = locks.filter(({ location }) => location === app.location);
  if (ours.length === 0) return null;
  return ours.some(lock => lock.isRunning) ? 'run' : 'dead-run';
}

async function whoLocks(
  app: Extract<Application, { fence: 'latched' }>,
  { locks, signal }: { readonly locks: readonly LockState[]; readonly signal: AbortSignal },
): Promise<Pick<ApplicationState, 'lockedBy' | 'problem'>> {
  const own = ownLock(app, locks);
  if (own) return { lockedBy: own, problem: null };
  try {
    await app.describe({ signal });
    return { lockedBy: null, problem: 'It serves nobody' };
  } catch (error) {
    if (!(error instanceof StillpointError)) throw error;
    const isLocked = error.code === 'APP_LOCKED';
    return { lockedBy: isLocked ? 'other' : null, problem: isLocked ? null : error.message };
  }
}
