import type { StoppedApplication } from '../app/index.ts';
import { forwardAbort } from '../waiting.ts';
import { type FenceRecord, lapsed } from './fence.ts';
import type { LatchOptions } from './options.ts';
import { unlockedRecord } from './times.ts';
import { allHold, type LatchWindow, watch } from './window.ts';

const lookEveryMs = 1_000;

/**
 * withLatch for an application that does not run: nothing shows it before the body, about each second while it runs, or
 * after it. Nobody is locked out, so there is no budget.
 */
export async function whileStopped<T>(
  options: LatchOptions & { readonly app: StoppedApplication },
  body: (window: LatchWindow) => Promise<T>,
): Promise<{ result: T; fence: FenceRecord }> {
  const { app, clock, onPhase, database = null } = options;
  const stop = new AbortController();
  const { signal } = stop;
  const off = forwardAbort(options.signal, stop);
  const look = () => app.checkStopped({ database, signal });
  const watching = new AbortController();
  const checks: (() => Promise<boolean>)[] = [];
  try {
    const application = await app.describe({ signal });
    await onPhase?.('capture');
    await look();
    const startMs = clock.monotonicMs();
    void watch({
      look,
      everyMs: lookEveryMs,
      clock,
      signal: AbortSignal.any([signal, watching.signal]),
      stop: reason => stop.abort(reason),
    });
    const result = await body({
      signal,
      budgetMs: Number.POSITIVE_INFINITY,
      progress: () => undefined,
      fence: holds => void checks.push(holds),
    });
    signal.throwIfAborted();
    watching.abort();
    const capturedAtMs = clock.nowMs();
    const captureMs = clock.monotonicMs() - startMs;
    await onPhase?.('fence');
    const [holds] = await Promise.all([allHold(checks), look()]);
    if (!holds) throw lapsed('the database did not hold its pin until the end');
    return { result, fence: unlockedRecord({ kind: 'stopped', application, capturedAtMs, captureMs }) };
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    watching.abort();
    off();
  }
}
