import type { MessagePort } from 'node:worker_threads';
import { isStoreError } from '../errors.ts';
import { Sealing, type SealingTools } from './sealing.ts';
import type { SealingAnswer, SealingJob, SharedPlace } from './sealing-messages.ts';

/** The other end of a worker thread: does each job as it comes. */
export function serveSealing(port: MessagePort, tools: SealingTools): void {
  const sealing = new Sealing(tools);
  port.on('message', (job: SealingJob) => {
    let answer: SealingAnswer;
    try {
      answer = work(sealing, job);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      answer = isStoreError(error)
        ? { kind: 'failed', message, remedy: error.remedy }
        : { kind: 'failed', message: `Cannot publish a pack: ${message}` };
    }
    port.postMessage(answer);
  });
}

function work(sealing: Sealing, job: SealingJob): SealingAnswer {
  if (job.kind === 'encode') return { kind: 'encoded', ...sealing.encode(bytesAt(job.place)) };
  const frames = job.frames.map(({ place, ...frame }) => ({ ...frame, place: bytesAt(place) }));
  for (const _ of sealing.seal(job.keys, frames)); // one after the other: nothing else waits here
  return { kind: 'sealed' };
}

function bytesAt({ buffer, at, length }: SharedPlace): Uint8Array {
  return new Uint8Array(buffer, at, length);
}
