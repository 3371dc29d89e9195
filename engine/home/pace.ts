import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../store/index.ts';

/** Keeps a long run of synchronous calls from starving timers, sockets and signals. */
export interface Pace {
  /** Undefined while there is time; else a promise to await. Throws the signal's reason once it has aborted. */
  rest(): Promise<void> | undefined;
}

const questionsPerClock = 8;

/** Rests after `sliceMs` of work. The shorter the slice, the sooner a query of the pinned database is served. */
export function makePace({
  clock,
  sliceMs,
  signal,
}: {
  clock: Clock;
  sliceMs: number;
  signal?: AbortSignal | undefined;
}): Pace {
  let questions = 0;
  let restedMs = clock.monotonicMs();
  const pause = async () => {
    await setImmediate();
    restedMs = clock.monotonicMs();
    signal?.throwIfAborted();
  };
  return {
    rest() {
      if (++questions % questionsPerClock !== 0) return undefined;
      return clock.monotonicMs() - restedMs < sliceMs ? undefined : pause();
    },
  };
}
