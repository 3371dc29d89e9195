import type { Clock } from './seams.ts';

const breatheEveryMs = 8;

/**
 * For long jobs of short synchronous steps: await it between steps. Once in a while it lets the event loop turn, since
 * signals and the progress that an application is told must not wait for a whole pack.
 */
export function breather(clock: Clock): () => Promise<void> {
  let lastMs = clock.monotonicMs();
  return async () => {
    if (clock.monotonicMs() - lastMs < breatheEveryMs) return;
    await new Promise(resolve => setImmediate(resolve));
    lastMs = clock.monotonicMs();
  };
}
