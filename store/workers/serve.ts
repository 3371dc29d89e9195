import { parentPort } from 'node:worker_threads';
import type { Answered } from './thread.ts';

/** In a thread of a pool: answers its jobs, one at a time. A job that throws fails alone. */
export function serveJobs<Job, Answer>(work: (job: Job) => Answer): void {
  const port = parentPort!;
  port.on('message', (job: Job) => {
    let answered: Answered;
    try {
      answered = { answer: work(job) };
    } catch (failure) {
      answered = { failure };
    }
    port.postMessage(answered);
  });
}
