import { Thread, type ThreadOptions } from './thread.ts';

/** Threads that answer jobs. Which of them a job goes to nobody knows; each does its own one after the other. */
export interface WorkerPool<Job, Answer> extends AsyncDisposable {
  readonly size: number;
  /** Jobs that were given and are not answered. */
  readonly waiting: number;
  /** `transfer` is no longer the caller's. Fails when the thread ends, and with what the job itself throws. */
  run(job: Job, transfer?: readonly ArrayBuffer[]): Promise<Answer>;
}

export interface WorkerPoolOptions extends ThreadOptions {
  readonly size: number;
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
