import { workerData } from 'node:worker_threads';
import { loadRunOpener, type RunKeys } from '../pack/run.ts';
import { serveJobs } from '../workers/serve.ts';
import { type CheckJob, checkRun } from './check-run.ts';

/** A thread that checks what a verification read. */
const opener = await loadRunOpener(workerData as RunKeys);
serveJobs((job: CheckJob) => checkRun(job, opener));
