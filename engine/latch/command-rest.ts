import { StillpointError } from '../../store/index.ts';
import type { CommandApplication } from '../app/index.ts';
import type { CommandRecord } from '../command/index.ts';
import { within } from '../waiting.ts';
import { lapsed, notDrained } from './fence.ts';
import type { Rest, RestOptions } from './rest.ts';

/** Of an application that commands lock: one waits until it is at rest, another says whether it is still held. */
export class CommandRest implements Rest {
  readonly taskId = null;
  /** A process each time, beside the capture. */
  readonly lookEveryMs = 5_000;
  readonly cancel = undefined;
  readonly #app: CommandApplication;
  readonly #options: RestOptions;
  #waiting: Promise<void> | undefined;

  constructor(app: CommandApplication, options: RestOptions) {
    this.#app = app;
    this.#options = options;
  }

  async begin(): Promise<void> {}

  /** A command that goes on when it is told to end is not waited for: people are locked out meanwhile. */
  async drain({ signal, timeoutMs }: { signal: AbortSignal; timeoutMs: number }): Promise<void> {
    const { token, clock, onCommand } = this.#options;
    const { wait } = this.#app.access;
    const ms = Math.min(timeoutMs, wait?.timeoutMs ?? timeoutMs);
    const limit = new AbortController();
    const waiting = this.#app.wait(token, { signal: AbortSignal.any([signal, limit.signal]), onCommand });
    this.#waiting = waiting.catch(() => undefined); // it may end later than the race
    try {
      await within(waiting, {
        ms,
        clock,
        late: () => notDrained('its wait command had not ended', { timeoutMs: ms, cause: undefined }),
      });
    } finally {
      limit.abort();
    }
  }

  async look(signal: AbortSignal): Promise<void> {
    await this.#check({ signal, isLast: false });
  }

  async prove(signal: AbortSignal): Promise<void> {
    await this.#check({ signal, isLast: true });
  }

  report(): void {}

  async finish(): Promise<void> {}

  async end(): Promise<void> {
    await this.#waiting;
  }

  /** Each look would be a record: the last one is what the pair rests on. */
  async #check({ signal, isLast }: { signal: AbortSignal; isLast: boolean }): Promise<void> {
    const { token, onCommand } = this.#options;
    const records: CommandRecord[] = [];
    try {
      await this.#app.check(token, { signal, onCommand: record => records.push(record) });
    } catch (error) {
      if (!(error instanceof StillpointError) || signal.aborted) throw error;
      // Without an exit code it was late, or something ended it: while there is time, the next one may tell.
      if (!isLast && error.context['exit'] === null) throw error;
      throw lapsed(`its check command does not say that it is held (${error.message})`, error);
    }
    if (isLast) for (const record of records) onCommand?.(record);
  }
}
