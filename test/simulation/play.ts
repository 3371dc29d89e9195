import { Worker } from 'node:worker_threads';

export interface Orders {
  /** By its name; without one the program as it is. */
  readonly mutant?: string | undefined;
  readonly firstSeed: number;
  readonly schedules: number;
  /** Ends with the first schedule that loses a snapshot. */
  readonly isUntilLoss?: boolean;
}

/** What schedules came to. */
export interface Tally {
  readonly schedules: number;
  readonly commits: number;
  /** That took something. */
  readonly sweeps: number;
  readonly vetoes: number;
  /** Generations of a pruner whose last one was vetoed. */
  readonly roundsAfterVeto: number;
  /** Backups that nothing befell and nobody took for dead, and those of them that committed. */
  readonly living: number;
  readonly livingCommits: number;
  /** Schedules in which a sweep that took something, not done yet, and an intent of a living run were there at one time. */
  readonly overlapped: number;
  /** Those of them in which the sweep was created while the intent was there. */
  readonly sweptBesideIntent: number;
  /** By role and step. */
  readonly kills: Readonly<Record<string, number>>;
  readonly faults: number;
  readonly sleeps: number;
  /** Seeds and what was lost. */
  readonly losses: readonly string[];
  /** Seeds and what went wrong otherwise. */
  readonly others: readonly string[];
}

type Message = { readonly kind: 'progress' | 'done'; readonly tally: Tally };

/**
 * Plays schedules in a thread: a mutant stays there, and the test runner's accounts of promises, which would double the
 * time, end at it.
 */
export function play(orders: Orders, onProgress?: (tally: Tally) => void): Promise<Tally> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker-main.js', import.meta.url), { workerData: orders });
    worker.on('message', ({ kind, tally }: Message) => {
      if (kind === 'done') resolve(tally);
      else onProgress?.(tally);
    });
    worker.on('error', reject);
    worker.on('exit', code => reject(new Error(`Cannot play schedules: their thread ended with ${code}`)));
  });
}
