import { isStoreError } from '../errors.ts';
import { serveJobs } from '../workers/serve.ts';
import { Sealing, type SealingTools } from './sealing.ts';
import type { SealingAnswer, SealingJob, SharedPlace } from './sealing-messages.ts';

/** The other end of a sealing thread. What fails is an answer, since an error that is sent loses its code. */
export function serveSealing(tools: SealingTools): void {
  const sealing = new Sealing(tools);
  serveJobs((job: SealingJob): SealingAnswer => {
    try {
      return work(sealing, job);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return isStoreError(error)
        ? { kind: 'failed', message, remedy: error.remedy }
        : { kind: 'failed', message: `Cannot publish a pack: ${message}` };
    }
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
