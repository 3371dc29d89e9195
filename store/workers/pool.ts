import { Worker } from 'node:worker_threads';

/** Threads that answer jobs. Which of them a job goes to nobody knows; each does its own one after the other. */
export interface WorkerPool<Job, Answer> extends AsyncDisposable {
  readonly size: number;
  /** Jobs that were given and are not answered. */
  readonly waiting: number;
  /** `transfer` is no longer the caller's. Fails when the thread ends, and with what the job itself throws. */
  run(job: Job, transfer?: readonly ArrayBuffer[]): Promise<Answer>;
}

export interface WorkerPoolOptions {
  /** The module that calls `serveJobs`. */
  readonly program: URL;
  readonly size: number;
  /** What `serveJobs` gives to the module. */
  readonly data: unknown;
  /** What to throw when a thread ends although nobody ended it. */
  readonly onEnd: (cause: unknown) => Error;
}

/** What a thread answers, in the order of its jobs. */
export type Answered = { readonly answer: unknown } | { readonly failure: unknown };

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/** Starts the threads. They keep the process alive only while a job waits. */
export function startWorkers<Job, Answer>(options: WorkerPoolOptions): WorkerPool<Job, Answer> {
  const threads = Array.from({ length: options.size }, () => new Thread(options));
  return {
    size: threads.length,
    get waiting() {
      return threads.reduce((sum, { waiting }) => sum + waiting, 0);
    },
    run(job, transfer = []) {
      let idlest = threads[0]!;
      for (const thread of threads) if (thread.waiting < idlest.waiting) idlest = thread;
      return idlest.run(job, transfer) as Promise<Answer>;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(threads.map(thread => thread.end()));
    },
  };
}

/** What can be handed over without a copy: memory that holds nothing else. */
export function ownBufferOf({ buffer, byteLength }: ArrayBufferView): ArrayBuffer[] {
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [];
}

class Thread {
  readonly #worker: Worker;
  readonly #waiting: Waiting[] = [];
  readonly #onEnd: WorkerPoolOptions['onEnd'];
  #failure: Error | undefined;

  constructor({ program, data, onEnd }: WorkerPoolOptions) {
    this.#onEnd = onEnd;
    this.#worker = new Worker(program, { workerData: data });
    this.#worker.unref();
    this.#worker.on('message', (answered: Answered) => this.#take(answered));
    this.#worker.on('messageerror', error => this.#fail(error));
    this.#worker.on('error', error => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(undefined));
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  run(job: unknown, transfer: readonly ArrayBuffer[]): Promise<unknown> {
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
