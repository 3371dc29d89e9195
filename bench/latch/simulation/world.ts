import type { Clock } from '../../../store/index.ts';

/** Some hours of a run are a few hundred events; one that does not come to rest is a finding, too. */
const eventsMax = 200_000;

interface Event {
  readonly atMs: number;
  readonly act: () => void;
}

/**
 * Virtual time: nobody waits. What is due happens in the order of its instant, and then of its making, so that a
 * schedule comes out the same each time.
 */
export class World {
  #nowMs = 0;
  /** Until then the disk answers nobody. */
  diskFreeAtMs = 0;
  readonly #due = new Set<Event>();

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Returns what takes it back. */
  after(ms: number, act: () => void): () => void {
    const event = { atMs: this.#nowMs + Math.max(0, ms), act };
    this.#due.add(event);
    return () => void this.#due.delete(event);
  }

  /** Goes on until nothing is due any more. */
  async run(): Promise<void> {
    for (let events = 0; events < eventsMax; events += 1) {
      await new Promise(resolve => setImmediate(resolve)); // what this instant still has to say
      const next = this.#takeNext();
      if (!next) return;
      this.#nowMs = next.atMs;
      next.act();
    }
    throw new Error(`does not come to rest in ${eventsMax} events`);
  }

  /** The time of the application; sides have clocks of their own, which stop with them. */
  clock(): Clock {
    const startMs = Date.UTC(2026, 0, 1);
    return {
      nowMs: () => startMs + this.#nowMs,
      nowNs: () => BigInt(Math.round(startMs + this.#nowMs)) * 1_000_000n,
      monotonicMs: () => this.#nowMs,
      sleep: ms => new Promise(resolve => this.after(ms, resolve)),
      every: (ms, work) => {
        let cancel = () => {};
        const again = () => {
          cancel = this.after(ms, () => {
            work();
            again();
          });
        };
        again();
        return () => cancel();
      },
    };
  }

  #takeNext(): Event | undefined {
    let next: Event | undefined;
    for (const event of this.#due) if (!next || event.atMs < next.atMs) next = event;
    if (next) this.#due.delete(next);
    return next;
  }
}
