import { type ResourceLimits, Worker } from 'node:worker_threads';

export interface ThreadOptions {
  /** The module that calls `serveJobs`. */
  readonly program: URL;
  /** What the module finds as its `workerData`. */
  readonly data: unknown;
  /** What to throw when a thread ends although nobody ended it. */
  readonly onEnd: (cause: unknown) => Error;
  readonly limits?: ResourceLimits;
}

/** What a thread answers, in the order of its jobs. */
export type Answered = { readonly answer: unknown } | { readonly failure: unknown };

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/** One thread and what it was asked. It keeps the process alive only while a job waits. */
export class Thread {
  readonly #worker: Worker;
  readonly #waiting: Waiting[] = [];
  readonly #onEnd: ThreadOptions['onEnd'];
  #failure: Error | undefined;

  constructor({ program, data, onEnd, limits }: ThreadOptions) {
    this.#onEnd = onEnd;
    this.#worker = new Worker(program, { workerData: data, ...(limits && { resourceLimits: limits }) });
    this.#worker.unref();
    this.#worker.on('message', (answered: Answered) => this.#take(answered));
    this.#worker.on('messageerror', error => this.#fail(error));
    this.#worker.on('error', error => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(undefined));
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** `transfer` is no longer the caller's. Fails when the thread ends, and with what the job itself throws. */
  run(job: unknown, transfer: readonly ArrayBuffer[] = []): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      if (this.#waiting.length === 0) this.#worker.ref();
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(job, transfer);
    });
  }

  /** What it has not done fails. Idempotent. */
  async end(): Promise<void> {
    await this.#worker.terminate();
    this.#fail(undefined);
  }

  #take(answered: Answered): void {
    const first = this.#waiting.shift();
    if (this.#waiting.length === 0) this.#worker.unref();
    if ('answer' in answered) first?.resolve(answered.answer);
    else first?.reject(answered.failure);
  }

  #fail(cause: unknown): void {
    this.#failure ??= this.#onEnd(cause);
    while (this.#waiting.length > 0) this.#take({ failure: this.#failure });
  }
}
