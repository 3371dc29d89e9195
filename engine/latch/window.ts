import { type Clock, StillpointError } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import { lapsed } from './fence.ts';
import type { Rest } from './rest.ts';

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

const captureShare = 0.9;

/** The body, watched: by its budget, and by asking the application now and then whether it still holds for us. */
export async function capture<T>(
  rest: Rest,
  options: {
    readonly clock: Clock;
    readonly signal: AbortSignal;
    readonly leftMs: number;
    readonly stop: (reason: StillpointError) => void;
    readonly body: (window: LatchWindow) => Promise<T>;
    /** Called as soon as the body has returned, before the fence. */
    readonly onCaptured: () => void | Promise<void>;
  },
): Promise<T> {
  const { clock, signal, stop } = options;
  const budgetMs = Math.max(0, options.leftMs * captureShare);
  const over = new AbortController();
  const checks: (() => Promise<boolean>)[] = [];
  // Also put away by the end of the window: a body that ignores it would keep the process alive.
  clock.sleep(budgetMs, AbortSignal.any([over.signal, signal])).then(
    () => stop(overrun(budgetMs)),
    () => undefined, // ended in time
  );
  const watching = new AbortController();
  const looks = AbortSignal.any([signal, watching.signal]);
  void watch({ look: rest.look.bind(rest), everyMs: rest.lookEveryMs, clock, signal: looks, stop });
  try {
    const result = await options.body({
      signal,
      budgetMs,
      progress: percent => rest.report(percent),
      fence: holds => void checks.push(holds),
    });
    signal.throwIfAborted();
    watching.abort();
    await options.onCaptured();
    const [database] = await Promise.all([allHold(checks), rest.prove(signal)]);
    if (!database) throw lapsed('the database did not hold its pin until the end');
    return result;
  } finally {
    watching.abort();
    over.abort();
  }
}

/**
 * Looks now and then, until its signal aborts, and stops the window on a verdict. A look that was not answered is none:
 * the fence asks again, and is what counts.
 */
export async function watch(options: {
  readonly look: (signal: AbortSignal) => Promise<unknown>;
  readonly everyMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly stop: (reason: StillpointError) => void;
}): Promise<void> {
  const { look, everyMs, clock, signal, stop } = options;
  while (!signal.aborted) {
    try {
      await clock.sleep(everyMs, signal);
      await look(signal);
    } catch (error) {
      if (!signal.aborted && isVerdict(error)) stop(error);
    }
  }
}

export async function allHold(checks: readonly (() => Promise<boolean>)[]): Promise<boolean> {
  const answers = await Promise.all(checks.map(holds => holds()));
  return answers.every(Boolean);
}

const verdicts: ReadonlySet<string> = new Set(['LATCH_LAPSED', 'APP_CANCELED', 'APP_RUNNING']);

/** What the application says of the task, as opposed to a question that was not answered. */
function isVerdict(error: unknown): error is StillpointError {
  return error instanceof StillpointError && verdicts.has(error.code);
}

function overrun(budgetMs: number): StillpointError {
  return engineError('LATCH_OVERRUN', `Cannot capture in time: not done after ${Math.round(budgetMs)} ms`, {
    remedy: 'Choose a quieter hour, or raise latch.maxHold.',
  });
}
