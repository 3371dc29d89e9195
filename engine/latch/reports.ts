import type { LatchedApplication } from '../app/index.ts';

const lastCallMs = 1_000;

/**
 * Tells the application how far the capture is, for the page that its users see. Never fails and never delays: one
 * call is under way at a time, and what it misses meanwhile is skipped.
 */
export class Reports {
  readonly #app: Pick<LatchedApplication, 'progress'>;
  readonly #token: string;
  readonly #stop = new AbortController();
  #reported = -1;
  #isCalling = false;

  constructor(app: Pick<LatchedApplication, 'progress'>, token: string) {
    this.#app = app;
    this.#token = token;
  }

  /** 0…99; 100 is kept for the end, since it lets the application's writers go. */
  report(percent: number): void {
    const whole = Math.min(99, Math.max(0, Math.floor(percent)));
    if (this.#isCalling || this.#stop.signal.aborted || !(whole > this.#reported)) return;
    this.#reported = whole;
    this.#isCalling = true;
    this.#app.progress(this.#token, { percent: whole, signal: this.#stop.signal }).then(
      () => {
        this.#isCalling = false;
      },
      () => {
        this.#isCalling = false; // a page that does not move is no reason to lose a backup
      },
    );
  }

  /** Drops what is under way, so that no late report follows the last one. Idempotent. */
  stop(): void {
    this.#stop.abort();
  }

  /** Ends the task in the application; true when it said so within a moment. */
  async finish(): Promise<boolean> {
    this.stop();
    try {
      await this.#app.progress(this.#token, { percent: 100, signal: AbortSignal.timeout(lastCallMs) });
      return true;
    } catch {
      return false; // the unlock that follows is what counts
    }
  }
}
