import { type Clock, StillpointError } from '../../store/index.ts';
import type { BackupTask, LatchedApplication } from '../app/index.ts';
import { engineError } from '../errors.ts';
import { ask, checkFence, checkHeld, checkTask, isDrained, lapsed } from './fence.ts';
import type { Reports } from './reports.ts';

/** What the body of a latch may use while the application is at rest. */
export interface LatchWindow {
  /** Aborts when the window must end now: over budget, canceled, lapsed, interrupted. The reason is the error. */
  readonly signal: AbortSignal;
  /** What the body may take at most, from its start; Infinity when nothing is held. */
  readonly budgetMs: number;
  /** Tells the application's page: 0…100 of the capture. Costs nothing. */
  progress(percent: number): void;
  /** Adds a check to the fence; made after the body has returned. False: the pair is discarded. */
  fence(holds: () => Promise<boolean>): void;
}

const pollMinMs = 5;
const pollMaxMs = 50;
const watchMs = 1_000;
const captureShare = 0.9;

interface Held {
  readonly app: LatchedApplication;
  readonly token: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Waits until both halves of the application are at rest. The pause between two questions is time that people wait:
 * a twentieth of what they have waited, within its bounds.
 */
export async function drain(
  { app, token, clock, signal }: Held,
  { task, timeoutMs }: { readonly task: BackupTask; readonly timeoutMs: number },
): Promise<void> {
  const startMs = clock.monotonicMs();
  const limit = new AbortController();
  const calls = AbortSignal.any([signal, limit.signal]);
  const timer = new AbortController();
  clock.sleep(timeoutMs, timer.signal).then(
    () => limit.abort(),
    () => undefined, // put away below
  );
  let found = 'its state is not known';
  let passing: unknown;
  try {
    for (;;) {
      try {
        const state = await ask(app, { token, signal: calls });
        checkTask(state, task.id);
        if (isDrained(state)) return;
        found = `database ${state.databaseState || 'unknown'}, home ${state.homeState || 'unknown'}`;
        passing = undefined;
      } catch (error) {
        if (calls.aborted || !isPassing(error)) throw error;
        passing = error;
      }
      const waitedMs = clock.monotonicMs() - startMs;
      await clock.sleep(Math.min(pollMaxMs, Math.max(pollMinMs, waitedMs / 20)), calls);
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw limit.signal.aborted ? notDrained(found, { timeoutMs, cause: passing }) : error;
  } finally {
    timer.abort();
  }
}

/** The body, watched: by its budget, and by asking the application now and then whether it still holds for us. */
export async function capture<T>(
  held: Held,
  options: {
    readonly task: BackupTask;
    readonly leftMs: number;
    readonly reports: Reports;
    readonly stop: (reason: StillpointError) => void;
    readonly body: (window: LatchWindow) => Promise<T>;
    /** Called as soon as the body has returned, before the fence. */
    readonly onCaptured: () => void | Promise<void>;
  },
): Promise<T> {
  const { app, token, clock, signal } = held;
  const { task, reports, stop } = options;
  const budgetMs = Math.max(0, options.leftMs * captureShare);
  const over = new AbortController();
  const checks: (() => Promise<boolean>)[] = [];
  // Also put away by the end of the window: a body that ignores it would keep the process alive.
  clock.sleep(budgetMs, AbortSignal.any([over.signal, signal])).then(
    () => stop(overrun(budgetMs)),
    () => undefined, // ended in time
  );
  const watching = new AbortController();
  const watch = async () => {
    const calls = AbortSignal.any([signal, watching.signal]);
    for (;;) {
      await clock.sleep(watchMs, calls);
      try {
        checkHeld(await ask(app, { token, signal: calls, aside: true }), task.id);
      } catch (error) {
        if (calls.aborted) return;
        if (isVerdict(error)) stop(error);
      }
    }
  };
  watch().catch(() => undefined); // ends by its signal; the fence is what counts
  try {
    const result = await options.body({
      signal,
      budgetMs,
      progress: percent => reports.report(percent),
      fence: holds => void checks.push(holds),
    });
    signal.throwIfAborted();
    watching.abort();
    await options.onCaptured();
    const [database] = await Promise.all([
      allHold(checks),
      checkFence(app, { token, taskId: task.id, clock, signal }),
    ]);
    if (!database) throw lapsed('the database did not hold its pin until the end');
    return result;
  } finally {
    watching.abort();
    over.abort();
  }
}

export async function allHold(checks: readonly (() => Promise<boolean>)[]): Promise<boolean> {
  const answers = await Promise.all(checks.map(holds => holds()));
  return answers.every(Boolean);
}

/** What the application says of the task, as opposed to a question that was not answered: the fence asks that again. */
function isVerdict(error: unknown): error is StillpointError {
  return error instanceof StillpointError && (error.code === 'LATCH_LAPSED' || error.code === 'APP_CANCELED');
}

/** A failure that may be gone at the next call; what it hides, the fence finds. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof StillpointError)) return false;
  const status = error.context['status'];
  return error.code === 'APP_UNREACHABLE' || (typeof status === 'number' && status >= 500);
}

function notDrained(
  found: string,
  { timeoutMs, cause }: { timeoutMs: number; cause: unknown },
): StillpointError {
  return engineError('APP_NOT_DRAINED', `Cannot capture: not at rest after ${timeoutMs} ms, ${found}`, {
    remedy: 'Choose a quieter hour, or raise latch.drainTimeout; long clones and pushes must end first.',
    ...(cause === undefined ? {} : { cause }),
  });
}

function overrun(budgetMs: number): StillpointError {
  return engineError('LATCH_OVERRUN', `Cannot capture in time: not done after ${Math.round(budgetMs)} ms`, {
    remedy: 'Choose a quieter hour, or raise latch.maxHold.',
  });
}
