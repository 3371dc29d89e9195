import type { Clock } from '../../store/index.ts';
import type { LatchedApplication } from '../app/index.ts';
import { within } from '../waiting.ts';

const lastCallMs = 500;

/**
 * Tells the application how far the capture is, for the page that its users see. Never fails and never delays: one
 * call is under way at a time, and what it misses meanwhile is skipped.
 */
export class Reports {
  readonly #app: Pick<LatchedApplication, 'progress'>;
  readonly #token: string;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  #reported = -1;
  #isCalling = false;

  constructor(app: Pick<LatchedApplication, 'progress'>, { token, clock }: { token: string; clock: Clock }) {
    this.#app = app;
    this.#token = token;
    this.#clock = clock;
  }

  /** 0…99; 100 is kept for the end, since it lets the application's writers go. */
  report(percent: number): void {
    const whole = Math.min(99, Math.max(0, Math.floor(percent)));
    if (this.#isCalling || this.#stop.signal.aborted || !(whole > this.#reported)) return;
    this.#reported = whole;
    this.#isCalling = true;
    this.#app.progress(this.#token, { percent: whole, signal: this.#stop.signal, aside: true }).then(
      () => {
        this.#isCalling = false;
      },
      () => {
        this.#isCalling = false; // a page that does not move is no reason to lose a backup
      },
    );
  }

  /** Ends the task in the application; true when it said so within a moment. */
  async finish(): Promise<boolean> {
    this.#reported = 100;
    const limit = new AbortController();
    const call = this.#app.progress(this.#token, { percent: 100, signal: limit.signal });
    try {
      await within(call, { ms: lastCallMs, clock: this.#clock, late: () => new Error('no answer') });
      return true;
    } catch {
      return false; // the unlock that follows is what counts
    } finally {
      limit.abort(); // the unlock takes the same connection
    }
  }

  /** Drops what is still under way. Idempotent. */
  end(): void {
    this.#stop.abort();
  }
}
