import { fork } from 'node:child_process';
import type { SuiteOptions } from './suite.ts';
import { type Counted, type Progress, together } from './tally.ts';

/** What one of several processes does of a suite. */
export interface Order {
  readonly suite: string;
  readonly seed: number;
  readonly stride: number;
  /** null: no limit. */
  readonly pointsMax: number | null;
  readonly milliseconds: number;
}

export type Message =
  | ({ readonly kind: 'progress' } & Progress)
  | { readonly kind: 'done'; readonly counted: readonly Counted[] };

/** Runs a suite in so many processes, each of which has every so manieth store, and adds up what they count. */
export async function runWorkers(
  suite: string,
  {
    seed,
    pointsMax,
    endMs,
    workers,
    onProgress,
  }: SuiteOptions & { readonly workers: number; readonly onProgress: (progress: Progress) => void },
): Promise<readonly Counted[]> {
  const seen = new Map<number, Progress>();
  const runs = Array.from({ length: workers }, (_, at) => {
    const order: Order = {
      suite,
      seed: seed + at,
      stride: workers,
      pointsMax: pointsMax === Number.POSITIVE_INFINITY ? null : Math.ceil(pointsMax / workers),
      milliseconds: endMs - performance.now(),
    };
    return runWorker(order, progress => {
      seen.set(at, progress);
      const all = [...seen.values()];
      onProgress({
        points: all.reduce((sum, { points }) => sum + points, 0),
        wrong: all.reduce((sum, { wrong }) => sum + wrong, 0),
      });
    });
  });
  const parts = await Promise.all(runs);
  return parts[0]!.map((_, figure) => together(parts.map(part => part[figure]!)));
}

function runWorker(order: Order, onProgress: (progress: Progress) => void): Promise<readonly Counted[]> {
  return new Promise((resolve, reject) => {
    const child = fork(new URL('./worker-main.js', import.meta.url), [JSON.stringify(order)]);
    child.on('message', (message: Message) => {
      if (message.kind === 'progress') onProgress(message);
      else resolve(message.counted);
    });
    child.on('error', reject);
    child.on('exit', (code, signal) =>
      reject(new Error(`A process of ${order.suite} ended with ${code ?? signal}`)),
    );
  });
}
