import { type Clock, StillpointError } from '../../store/index.ts';
import type {
  ApplicationFacts,
  CallOptions,
  FenceKind,
  LatchedApplication,
  MaintenanceState,
} from '../app/index.ts';
import { engineError } from '../errors.ts';

/** How the pair was held, for the manifest. Wall times in ms since 1970 are for people; durations are monotonic. */
export interface FenceRecord {
  readonly kind: FenceKind;
  readonly application: ApplicationFacts;
  /** The application's backup task; null when it has none. */
  readonly taskId: string | null;
  readonly lockRequestedAtMs: number | null;
  readonly lockedAtMs: number | null;
  readonly drainedAtMs: number | null;
  readonly capturedAtMs: number | null;
  readonly unlockedAtMs: number | null;
  /** From the lock call to its answer. */
  readonly lockMs: number;
  /** From there until both halves of the application had come to rest. */
  readonly drainMs: number;
  /** From there until the body returned. */
  readonly captureMs: number;
  /** From there until the unlock was answered: the fence, the last report and the unlock. */
  readonly unlockMs: number;
  /** From the lock call until the unlock was answered: the sum of the four. */
  readonly heldMs: number;
}

const fenceTriesMax = 4;
const fencePauseMs = 50;

/** Whether both halves are at rest; a state that is not known is not at rest. */
export function isDrained(state: MaintenanceState): boolean {
  return state.databaseState === 'DRAINED' && state.homeState === 'DRAINED';
}

/** The state, to whoever holds the lock; LATCH_LAPSED when the application does not know the token. */
export async function ask(
  app: Pick<LatchedApplication, 'state'>,
  { token, ...options }: CallOptions & { readonly token: string },
): Promise<MaintenanceState> {
  try {
    return await app.state(token, options);
  } catch (error) {
    const status = error instanceof StillpointError ? error.context['status'] : undefined;
    if (status === 404 || status === 409) throw lapsed('it is not locked by this run any more', error);
    throw error;
  }
}

/** Throws unless our own task runs: APP_CANCELED when somebody ended it, LATCH_LAPSED when it is not there any more. */
export function checkTask(state: MaintenanceState, taskId: string): void {
  const { task } = state;
  if (task === null) throw lapsed('no backup task runs in it');
  if (task.id !== taskId) throw lapsed(`another task (${task.id}) runs in it`);
  if (task.state === 'RUNNING') return;
  if (/^(CANCEL|FAIL)/.test(task.state)) {
    throw engineError(
      'APP_CANCELED',
      `Cannot go on: the backup was ended in the application (${task.state})`,
      {
        remedy: 'Run the backup again when whoever ended it agrees.',
      },
    );
  }
  throw lapsed(`its backup task is ${task.state || 'in no state'}`);
}

/** As checkTask, and both halves must still be at rest. */
export function checkHeld(state: MaintenanceState, taskId: string): void {
  checkTask(state, taskId);
  if (!isDrained(state)) {
    throw lapsed(`it is not at rest any more (database ${state.databaseState}, home ${state.homeState})`);
  }
}

/**
 * Proves that the latch held until now: the question is asked after everything was captured. A call that fails for a
 * moment is made again; no answer is no proof.
 */
export async function checkFence(
  app: Pick<LatchedApplication, 'state'>,
  options: {
    readonly token: string;
    readonly taskId: string;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { token, taskId, clock, signal } = options;
  for (let tries = 1; ; tries += 1) {
    let state: MaintenanceState;
    try {
      state = await ask(app, { token, signal });
    } catch (error) {
      if (!(error instanceof StillpointError) || signal.aborted || error.code === 'LATCH_LAPSED') throw error;
      if (tries >= fenceTriesMax) throw lapsed(`it does not say what it is doing: ${error.message}`, error);
      await clock.sleep(fencePauseMs * 2 ** tries, signal);
      continue;
    }
    checkHeld(state, taskId);
    return;
  }
}

/** Work that does not end, or an application that does not say whether it has: two things to look after. */
export function notDrained(
  found: string | undefined,
  { timeoutMs, cause }: { timeoutMs: number; cause: unknown },
): StillpointError {
  if (found !== undefined && cause === undefined) {
    return engineError('APP_NOT_DRAINED', `Cannot capture: not at rest after ${timeoutMs} ms, ${found}`, {
      remedy: 'Choose a quieter hour, or raise latch.drainTimeout; long clones and pushes must end first.',
    });
  }
  const why = cause instanceof Error ? cause.message : 'no answer to the question';
  const remedy = cause instanceof StillpointError ? cause.remedy : undefined;
  return engineError(
    'APP_NOT_DRAINED',
    `Cannot capture: not known to be at rest after ${timeoutMs} ms (${why})`,
    { remedy: remedy ?? 'Check that the application answers, and the proxies before it.', cause },
  );
}

/** The pair may not agree: discard it. */
export function lapsed(found: string, cause?: unknown): StillpointError {
  return engineError('LATCH_LAPSED', `Cannot vouch for the latch of the application: ${found}`, {
    remedy: 'Run the backup again; nothing was kept of this one.',
    ...(cause === undefined ? {} : { cause }),
  });
}
