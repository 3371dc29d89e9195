import { serveJobs } from '../../../store/index.ts';
import { loadLibc } from '../system/libc.ts';
import { runSteadyJob, type SteadyJob } from './job.ts';

/** A thread that asks about files. */
const statx = (await loadLibc()).libc?.statx;
serveJobs((job: SteadyJob) => {
  if (statx) runSteadyJob(job, statx);
  return null;
});
