import type { UnlatchedApplication } from '../app/index.ts';
import { type FenceRecord, lapsed } from './fence.ts';
import { withMaintenance } from './maintenance.ts';
import type { LatchOptions } from './options.ts';
import { whileStopped } from './stopped.ts';
import { unlockedRecord } from './times.ts';
import { allHold, type LatchWindow } from './window.ts';

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
    case 'command':
      return withMaintenance({ ...options, app }, body);
    case 'stopped':
      return whileStopped({ ...options, app }, body);
    case 'none':
      return withoutLatch({ ...options, app }, body);
    default:
      return app satisfies never;
  }
}

/** Nothing is held, so there is no budget either. */
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
  return { result, fence: unlockedRecord({ kind: 'none', application, capturedAtMs, captureMs }) };
}
