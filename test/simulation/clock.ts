import type { Clock } from '../../store/index.ts';

const startMs = Date.UTC(2026, 0, 1);
/** Others call a session dead after 80 turns of silence, and it beats every 20. */
const msPerTurn = 250;

interface Timer {
  readonly ms: number;
  nextMs: number;
  readonly work: () => void;
}

/** A party's clock: time passes with the turns of all, and a party that sleeps or is dead is not called back. */
export class PartyClock implements Clock {
  readonly #sleepers = new Set<{ readonly untilMs: number; readonly wake: () => void }>();
  readonly #timers = new Set<Timer>();
  #elapsedMs = 0;

  /** The turn in which the first sleep is over; undefined: nobody sleeps. */
  get wakesAt(): number | undefined {
    if (this.#sleepers.size === 0) return undefined;
    return Math.ceil(Math.min(...[...this.#sleepers].map(({ untilMs }) => untilMs)) / msPerTurn);
  }

  moveTo(turn: number): void {
    this.#elapsedMs = turn * msPerTurn;
    for (const timer of this.#timers) {
      if (timer.nextMs > this.#elapsedMs) continue;
      timer.nextMs = this.#elapsedMs + timer.ms;
      timer.work();
    }
    for (const sleeper of this.#sleepers) {
      if (sleeper.untilMs > this.#elapsedMs) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }

  nowMs(): number {
    return startMs + this.#elapsedMs;
  }

  nowNs(): bigint {
    return BigInt(this.nowMs()) * 1_000_000n;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  sleep(ms: number): Promise<void> {
    return new Promise(wake => this.#sleepers.add({ untilMs: this.#elapsedMs + ms, wake }));
  }

  every(ms: number, work: () => void): () => void {
    const timer = { ms, nextMs: this.#elapsedMs + ms, work };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
}
