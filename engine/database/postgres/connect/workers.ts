import type { Connection } from './connection.ts';

/** How far results may run ahead of the first that is missing: bounds what waits in memory. */
const aheadMax = 256;

/**
 * Takes results that come in any order and hands them on in the order of their numbers, one at a time. `room` makes a
 * worker wait that would run too far ahead.
 */
export class InOrder<T> {
  readonly #take: (value: T) => Promise<void>;
  readonly #waiting = new Map<number, T>();
  #next = 0;
  #draining: Promise<void> = Promise.resolve();
  #wake: (() => void)[] = [];
  #failure: { readonly error: unknown } | undefined;

  constructor(take: (value: T) => Promise<void>) {
    this.#take = take;
  }

  /** Resolves when the result of this number may be worked on; rejects when the run has failed. */
  async room(number: number): Promise<void> {
    while (!this.#failure && number >= this.#next + aheadMax)
      await new Promise<void>(resolve => this.#wake.push(resolve));
    if (this.#failure) throw this.#failure.error;
  }

  async put(number: number, value: T): Promise<void> {
    this.#waiting.set(number, value);
    const before = this.#draining;
    this.#draining = before.then(() => this.#drain());
    await this.#draining;
  }

  /** Lets everybody who waits for room go: their work is of no use any more. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wakeAll();
  }

  async #drain(): Promise<void> {
    for (
      let value = this.#waiting.get(this.#next);
      value !== undefined;
      value = this.#waiting.get(this.#next)
    ) {
      await this.#take(value);
      this.#waiting.delete(this.#next);
      this.#next += 1;
    }
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** Runs a worker on each connection; when one fails the others are cut, and its error is the one that is thrown. */
export async function allOrCut(
  connections: readonly Connection[],
  work: (connection: Connection) => Promise<void>,
  onFailure: (error: unknown) => void = () => {},
): Promise<void> {
  let failure: { readonly error: unknown } | undefined;
  await Promise.all(
    connections.map(async connection => {
      try {
        await work(connection);
      } catch (error) {
        if (failure) return; // a consequence of the first
        failure = { error };
        onFailure(error);
        for (const other of connections) other.destroy();
      }
    }),
  );
  if (failure) throw failure.error;
}
