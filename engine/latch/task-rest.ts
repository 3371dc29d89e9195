import { type Clock, StillpointError } from '../../store/index.ts';
import type { BackupTask, CallOptions, LatchedApplication } from '../app/index.ts';
import { ask, checkFence, checkHeld, checkTask, isDrained, notDrained } from './fence.ts';
import { Reports } from './reports.ts';
import type { Rest, RestOptions } from './rest.ts';

const pollMinMs = 5;
const pollMaxMs = 50;

/** Of an application with a maintenance latch: a backup task inside it keeps its writers away. */
export class TaskRest implements Rest {
  readonly lookEveryMs = 1_000;
  readonly #app: LatchedApplication;
  readonly #options: RestOptions;
  readonly #reports: Reports;
  #task: BackupTask | undefined;
  #isTaskEnded = false;

  constructor(app: LatchedApplication, options: RestOptions) {
    this.#app = app;
    this.#options = options;
    this.#reports = new Reports(app, options);
  }

  get taskId(): string | null {
    return this.#task?.id ?? null;
  }

  get cancel(): Rest['cancel'] {
    const cancelToken = this.#isTaskEnded ? null : (this.#task?.cancelToken ?? null);
    if (cancelToken === null) return undefined;
    return (options: CallOptions) => this.#app.cancel(cancelToken, options);
  }

  async begin(signal: AbortSignal): Promise<void> {
    const task = await this.#app.startBackup(this.#options.token, { signal });
    this.#task = task;
    const { cancelToken } = task;
    if (cancelToken !== null) this.#options.onCancelToken(cancelToken, this.#app.manual.cancel(cancelToken));
  }

  drain({ signal, timeoutMs }: { signal: AbortSignal; timeoutMs: number }): Promise<void> {
    const { token, clock } = this.#options;
    return drainTask({ app: this.#app, token, clock, signal }, { taskId: this.#id, timeoutMs });
  }

  async look(signal: AbortSignal): Promise<void> {
    checkHeld(await ask(this.#app, { token: this.#options.token, signal, aside: true }), this.#id);
  }

  prove(signal: AbortSignal): Promise<void> {
    const { token, clock } = this.#options;
    return checkFence(this.#app, { token, taskId: this.#id, clock, signal });
  }

  report(percent: number): void {
    this.#reports.report(percent);
  }

  async finish(): Promise<void> {
    this.#isTaskEnded = await this.#reports.finish();
  }

  async end(): Promise<void> {
    this.#reports.end();
  }

  get #id(): string {
    if (this.#task) return this.#task.id;
    throw new TypeError('Cannot ask for the task: it was not begun');
  }
}

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
async function drainTask(
  { app, token, clock, signal }: Held,
  { taskId, timeoutMs }: { readonly taskId: string; readonly timeoutMs: number },
): Promise<void> {
  const startMs = clock.monotonicMs();
  const limit = new AbortController();
  const calls = AbortSignal.any([signal, limit.signal]);
  const timer = new AbortController();
  clock.sleep(timeoutMs, timer.signal).then(
    () => limit.abort(),
    () => undefined, // put away below
  );
  let found: string | undefined;
  let passing: unknown;
  try {
    for (;;) {
      try {
        const state = await ask(app, { token, signal: calls });
        checkTask(state, taskId);
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

/** A failure that may be gone at the next call; what it hides, the fence finds. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof StillpointError)) return false;
  const status = error.context['status'];
  return error.code === 'APP_UNREACHABLE' || (typeof status === 'number' && status >= 500);
}
