import { availableParallelism } from 'node:os';
import type { StoreContext } from '../context.ts';
import { storeError } from '../errors.ts';
import { type RunOpener, runKeysOf, runOpener } from '../pack/run.ts';
import { ownBufferOf, startWorkers, type WorkerPool } from '../workers/pool.ts';
import { type CheckAnswer, type CheckJob, checkRun } from './check-run.ts';

/** Starting a thread takes as long as checking some MiB. */
const threadsFromBytes = 16 * 1024 * 1024;
/** So many wait for a thread while the next are read; what comes then is checked here. */
const jobsOfThread = 2;

/** Checks runs of frames, in threads beside this one where there is much to check. */
export class RunChecks implements AsyncDisposable {
  readonly #context: StoreContext;
  readonly #threads: number;
  readonly #opener: RunOpener;
  #pool: WorkerPool<CheckJob, CheckAnswer> | undefined;

  /** `threads` beside this one: where it is not given, one less than there are processors if the bytes are many. */
  constructor(
    context: StoreContext,
    { bytes, threads }: { readonly bytes: number; readonly threads?: number | undefined },
  ) {
    this.#context = context;
    this.#threads = threads ?? (bytes < threadsFromBytes ? 0 : availableParallelism() - 1);
    this.#opener = runOpener({ keys: runKeysOf(context), zstd: context.zstd, blake3: context.ring.blake3 });
  }

  /** The bytes of the run are given away. */
  async check(job: CheckJob): Promise<CheckAnswer> {
    if (this.#threads < 1) return checkRun(job, this.#opener);
    this.#pool ??= startWorkers({
      program,
      size: this.#threads,
      data: runKeysOf(this.#context),
      onEnd: threadEnded,
    });
    if (this.#pool.waiting >= this.#pool.size * jobsOfThread) return checkRun(job, this.#opener);
    return this.#pool.run(job, ownBufferOf(job.run.bytes));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool?.[Symbol.asyncDispose]();
  }
}

const program = new URL('./check-run-main.js', import.meta.url);

const threadEnded = (cause: unknown): Error =>
  storeError('STORE_READ_FAILED', 'Cannot verify the store: a thread that checks what was read ended', {
    remedy: 'Run the same command again.',
    cause,
  });
