import { type Clock, type Seams, systemSeams } from '../../store/index.ts';

/** Time that passes only when somebody sleeps; then `every` calls back as often as it should. */
export function sleeperClock(): { clock: Clock; seams: Seams } {
  let nowMs = 1_000_000;
  const timers = new Set<{ ms: number; next: number; work: () => void }>();
  const pass = (ms: number): void => {
    nowMs += ms;
    for (const timer of timers) for (; timer.next <= nowMs; timer.next += timer.ms) timer.work();
  };
  const clock: Clock = {
    nowMs: () => nowMs,
    nowNs: () => BigInt(nowMs) * 1_000_000n,
    monotonicMs: () => nowMs,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      pass(ms);
      await new Promise(resolve => setImmediate(resolve));
    },
    every(ms, work) {
      const timer = { ms, next: nowMs + ms, work };
      timers.add(timer);
      return () => timers.delete(timer);
    },
  };
  return { clock, seams: { ...systemSeams, clock } };
}
