import { hostname } from 'node:os';
import { type Clock, StillpointError } from '../../store/index.ts';
import type { Application, BackupTask, LatchedApplication, UnlatchedApplication } from '../app/index.ts';
import { engineError } from '../errors.ts';
import { lockSurely, unlockSurely } from './calls.ts';
import { type FenceRecord, lapsed } from './fence.ts';
import { ownIdentity } from './process-identity.ts';
import { type LatchRecord, readRecord, recordPath, removeRecord, writeRecord } from './record.ts';
import { Reports } from './reports.ts';
import { type Sentinel, startSentinel } from './sentinel.ts';
import { allHold, capture, drain, type LatchWindow } from './window.ts';

export type LatchPhase = 'lock' | 'drain' | 'capture' | 'fence' | 'unlock';

/** A token that a person may need while the application is held: printed on purpose. */
export interface LatchToken {
  readonly kind: 'unlock' | 'cancel';
  readonly token: string;
  /** The call that uses it, without the password. */
  readonly command: string;
  /** The application's page, which asks for the cancel token. */
  readonly page: string;
}

export interface LatchOptions {
  readonly app: Application;
  readonly stateDir: string;
  readonly instance: string;
  /** From the start of the backup task until both halves are at rest. */
  readonly drainTimeoutMs: number;
  /** From the lock call: past it the application is unlocked, whatever the program does. */
  readonly maxHoldMs: number;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  /** Called, and waited for, when a phase begins. */
  readonly onPhase?: (phase: LatchPhase) => void | Promise<void>;
  readonly onToken?: (token: LatchToken) => void;
  /** How long the program tries to unlock before it fails with APP_STILL_LOCKED; the sentinel goes on. */
  readonly unlockPatienceMs?: number;
  readonly sentinelPatienceMs?: number;
  /** How long a lock whose outcome is unknown is looked into. */
  readonly lockPatienceMs?: number;
}

const unlockPatienceMs = 60_000;
const sentinelPatienceMs = 24 * 3_600_000;
const lockPatienceMs = 15_000;
/** Longer than any lock call and all that lockSurely does after it: a sentinel that is silent for so long is stuck. */
const sentinelAnswerMs = 120_000;
/** After a failure, once unlocked: how long a body that ignores its signal is waited for. */
const settleMs = 2_000;
const cancelGraceMs = 1_000;

/**
 * Holds the application while the body runs. On every path out it is unlocked, or APP_STILL_LOCKED is thrown with the
 * command to do it by hand; a result is returned only when the fence held from the drain to the unlock.
 */
export async function withLatch<T>(
  options: LatchOptions,
  body: (window: LatchWindow) => Promise<T>,
): Promise<{ result: T; fence: FenceRecord }> {
  const { app } = options;
  switch (app.fence) {
    case 'latched':
      return withMaintenance({ ...options, app }, body);
    case 'none':
      return withoutLatch({ ...options, app }, body);
    default:
      return app satisfies never;
  }
}

async function withoutLatch<T>(
  options: LatchOptions & { readonly app: UnlatchedApplication },
  body: (window: LatchWindow) => Promise<T>,
): Promise<{ result: T; fence: FenceRecord }> {
  const { app, clock, onPhase } = options;
  const signal = options.signal ?? new AbortController().signal;
  const application = await app.describe({ signal });
  const checks: (() => Promise<boolean>)[] = [];
  await onPhase?.('capture');
  const startMs = clock.monotonicMs();
  const result = await body({
    signal,
    budgetMs: Number.POSITIVE_INFINITY,
    progress: () => undefined,
    fence: holds => void checks.push(holds),
  });
  signal.throwIfAborted();
  const capturedAtMs = clock.nowMs();
  const captureMs = clock.monotonicMs() - startMs;
  await onPhase?.('fence');
  if (!(await allHold(checks))) throw lapsed('the database did not hold its pin until the end');
  return {
    result,
    fence: {
      kind: 'none',
      application,
      taskId: null,
      lockRequestedAtMs: null,
      lockedAtMs: null,
      drainedAtMs: null,
      capturedAtMs,
      unlockedAtMs: null,
      lockMs: 0,
      drainMs: 0,
      captureMs,
      unlockMs: 0,
      heldMs: 0,
    },
  };
}

type MaintenanceOptions = LatchOptions & { readonly app: LatchedApplication };

async function withMaintenance<T>(
  options: MaintenanceOptions,
  body: (window: LatchWindow) => Promise<T>,
): Promise<{ result: T; fence: FenceRecord }> {
  const { app, clock, signal } = options;
  const application = await app.describe(signal ? { signal } : {});
  const run = `${clock.nowMs().toString(36)}-${process.pid}`;
  const file = recordPath(options.stateDir, { instance: options.instance, run });
  const record: LatchRecord = {
    version: 1,
    run,
    instance: options.instance,
    application: { type: 'bitbucket', location: app.location, user: app.access.user },
    program: await ownIdentity(),
    host: hostname(),
    lockRequestedAt: new Date(clock.nowMs()).toISOString(),
    token: null,
  };
  await writeRecord(file, record);
  let sentinel: Sentinel | undefined;
  try {
    sentinel = await startSentinel(
      {
        type: 'arm',
        access: app.access,
        file,
        record,
        maxHoldMs: options.maxHoldMs,
        lockPatienceMs: options.lockPatienceMs ?? lockPatienceMs,
        unlockPatienceMs: options.sentinelPatienceMs ?? sentinelPatienceMs,
      },
      { clock },
    );
    await options.onPhase?.('lock');
    signal?.throwIfAborted();
    sentinel.lost.throwIfAborted();
  } catch (error) {
    await sentinel?.release();
    await removeRecord(file);
    throw error;
  }
  return hold({ options, application, sentinel, file }, body);
}

interface Holding {
  readonly options: MaintenanceOptions;
  readonly application: FenceRecord['application'];
  readonly sentinel: Sentinel;
  readonly file: string;
}

/** From the lock call to the proof that the lock is gone. */
async function hold<T>(
  { options, application, sentinel, file }: Holding,
  body: (window: LatchWindow) => Promise<T>,
): Promise<{ result: T; fence: FenceRecord }> {
  const { app, clock } = options;
  const times: Times = { lockRequested: now(clock) };
  const token = await lock({ options, sentinel, file });
  times.locked = now(clock);

  const stop = new AbortController();
  const release = [forward(options.signal, stop), forward(sentinel.lost, stop)];
  const reports = new Reports(app, token);
  let task: BackupTask | undefined;
  const work = async () => {
    const { signal } = stop;
    signal.throwIfAborted();
    tell(options, 'unlock', token);
    await options.onPhase?.('drain');
    task = await app.startBackup(token, { signal });
    if (task.cancelToken !== null) tell(options, 'cancel', task.cancelToken);
    const leftMs = () => options.maxHoldMs - (clock.monotonicMs() - times.lockRequested.monotonicMs);
    await drain(
      { app, token, clock, signal },
      { task, timeoutMs: Math.min(options.drainTimeoutMs, leftMs()) },
    );
    await sentinel.persisted();
    times.drained = now(clock);
    const result = await capture(
      { app, token, clock, signal },
      {
        task,
        leftMs: leftMs(),
        reports,
        stop: reason => stop.abort(reason),
        body: async window => {
          await options.onPhase?.('capture');
          return body(window);
        },
        onCaptured: async () => {
          times.captured = now(clock);
          await options.onPhase?.('fence');
        },
      },
    );
    await options.onPhase?.('unlock');
    signal.throwIfAborted();
    const isTaskEnded = await reports.finish();
    return { result, isTaskEnded };
  };

  const working = work();
  working.catch(() => undefined); // may fail again after the race is lost
  let outcome: { result: T; isTaskEnded: boolean } | undefined;
  let failure: { error: unknown } | undefined;
  try {
    outcome = await Promise.race([working, rejectedBy(stop.signal)]);
  } catch (error) {
    failure = { error: stop.signal.aborted ? stop.signal.reason : error };
  }
  stop.abort(failure?.error); // whatever still runs ends here; a reason given before stays
  reports.stop();
  for (const off of release) off();
  if (failure) void announce(options, 'unlock');
  const cancelToken = outcome?.isTaskEnded ? null : (task?.cancelToken ?? null);
  const how = await unlock({ options, sentinel, token, failure, cancelToken });
  times.unlocked = now(clock);
  await sentinel.release();
  await removeRecord(file);
  if (failure) {
    await settle(working, clock);
    throw failure.error;
  }
  if (options.signal?.aborted) throw options.signal.reason;
  if (how === 'lapsed') throw lapsed('when it was unlocked, it was not locked by this run any more');
  return { result: outcome!.result, fence: fenceRecord({ application, taskId: task!.id, times }) };
}

/** The token, or an error after which nothing of this run is locked, or APP_STILL_LOCKED. */
async function lock({ options, sentinel, file }: Omit<Holding, 'application'>): Promise<string> {
  const { app, clock } = options;
  const patienceMs = options.lockPatienceMs ?? lockPatienceMs;
  let lost: unknown;
  try {
    const answer = await sentinel.lock({ timeoutMs: sentinelAnswerMs });
    if (answer.outcome === 'locked') return answer.token;
    if (answer.outcome === 'unknown') {
      sentinel.leave();
      throw lockedWithoutToken(app, answer.error);
    }
    await sentinel.release();
    await removeRecord(file);
    throw answer.error;
  } catch (error) {
    if (!sentinel.lost.aborted && !isLapse(error)) throw error;
    lost = error;
  }
  // The sentinel died, or is stuck, with the call under way: its record may hold the token; else ask by locking again.
  sentinel.kill();
  let token = (await readRecord(file))?.token ?? undefined;
  if (token === undefined) {
    const answer = await lockSurely(app, { clock, patienceMs });
    if (answer.outcome === 'unknown' || (answer.outcome === 'refused' && answer.occupied)) {
      throw lockedWithoutToken(app, lost);
    }
    if (answer.outcome === 'locked') token = answer.token;
  }
  if (token !== undefined)
    await unlock({ options, sentinel, token, failure: { error: lost }, cancelToken: null });
  await removeRecord(file);
  throw lost;
}

/** Tries until it is done or out of patience; then the sentinel goes on and the message says what a person can do. */
async function unlock(held: {
  readonly options: MaintenanceOptions;
  readonly sentinel: Sentinel;
  readonly token: string;
  readonly failure: { readonly error: unknown } | undefined;
  /** Ends the backup task too, beside the unlock; null when it has ended. */
  readonly cancelToken: string | null;
}): Promise<'unlocked' | 'lapsed'> {
  const { options, sentinel, token, failure, cancelToken } = held;
  const { app, clock } = options;
  const done = new AbortController();
  const canceling =
    cancelToken === null
      ? Promise.resolve()
      : app.cancel(cancelToken, { signal: done.signal }).catch(() => undefined); // the unlock is what counts
  try {
    const patienceMs = options.unlockPatienceMs ?? unlockPatienceMs;
    const how = await unlockSurely(app, { token, clock, patienceMs });
    await Promise.race([canceling, clock.sleep(cancelGraceMs)]);
    return how;
  } catch (error) {
    sentinel.leave();
    throw stillLocked(app, {
      token,
      error,
      cause: failure ? failure.error : error,
      sentinelPid: sentinel.pid,
    });
  } finally {
    done.abort();
  }
}

function stillLocked(
  app: LatchedApplication,
  found: {
    readonly token: string;
    readonly error: unknown;
    readonly cause: unknown;
    readonly sentinelPid: number;
  },
): StillpointError {
  const why = found.error instanceof Error ? found.error.message : String(found.error);
  const command = app.manual.unlock(found.token);
  return engineError('APP_STILL_LOCKED', `Cannot unlock ${app.location}: ${why}`, {
    remedy: `Unlock it by hand: \`stillpoint unlock\`, or ${command} (process ${found.sentinelPid} goes on trying).`,
    context: { token: found.token, command, sentinelPid: found.sentinelPid },
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

function isLapse(error: unknown): boolean {
  return error instanceof StillpointError && error.code === 'LATCH_LAPSED';
}

function tell({ app, onToken }: MaintenanceOptions, kind: LatchToken['kind'], token: string): void {
  onToken?.({ kind, token, command: app.manual[kind](token), page: app.location });
}

/** For a failing run: nothing waits for it, and what it throws changes nothing. */
async function announce({ onPhase }: MaintenanceOptions, phase: LatchPhase): Promise<void> {
  try {
    await onPhase?.(phase);
  } catch {
    // the failure that is under way is the one to tell
  }
}

/** Rejects with the reason when the signal aborts; never resolves. */
function rejectedBy(signal: AbortSignal): Promise<never> {
  const rejected = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  rejected.catch(() => undefined); // the race may be over
  return rejected;
}

/** Passes an abort on, until the function it returns is called. */
function forward(from: AbortSignal | undefined, to: AbortController): () => void {
  if (!from) return () => undefined;
  const pass = () => to.abort(from.reason);
  if (from.aborted) pass();
  from.addEventListener('abort', pass, { once: true });
  return () => from.removeEventListener('abort', pass);
}

/** Gives a failed body a moment to end, so that its leftovers do not run into what the caller does next. */
async function settle(working: Promise<unknown>, clock: Clock): Promise<void> {
  const timer = new AbortController();
  const ended = working.then(
    () => undefined,
    () => undefined, // told already
  );
  await Promise.race([ended, clock.sleep(settleMs, timer.signal).catch(() => undefined)]);
  timer.abort();
}

interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

interface Times {
  readonly lockRequested: Moment;
  locked?: Moment;
  drained?: Moment;
  captured?: Moment;
  unlocked?: Moment;
}

function now(clock: Clock): Moment {
  return { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
}

function fenceRecord(facts: {
  readonly application: FenceRecord['application'];
  readonly taskId: string;
  readonly times: Times;
}): FenceRecord {
  const { lockRequested, locked, drained, captured, unlocked } = facts.times as Required<Times>;
  const between = (from: Moment, to: Moment) => to.monotonicMs - from.monotonicMs;
  return {
    kind: 'latched',
    application: facts.application,
    taskId: facts.taskId,
    lockRequestedAtMs: lockRequested.wallMs,
    lockedAtMs: locked.wallMs,
    drainedAtMs: drained.wallMs,
    capturedAtMs: captured.wallMs,
    unlockedAtMs: unlocked.wallMs,
    lockMs: between(lockRequested, locked),
    drainMs: between(locked, drained),
    captureMs: between(drained, captured),
    unlockMs: between(captured, unlocked),
    heldMs: between(lockRequested, unlocked),
  };
}
