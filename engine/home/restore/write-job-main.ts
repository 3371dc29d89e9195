import { workerData } from 'node:worker_threads';
import { loadRunOpener, type RunKeys, serveJobs } from '../../../store/index.ts';
import { loadLibc } from '../system/libc.ts';
import { runWriteJob } from './write-job.ts';

/** A thread that writes restored files. */
const tools = { opener: await loadRunOpener(workerData as RunKeys), libc: (await loadLibc()).libc };
serveJobs(job => runWriteJob(job as Parameters<typeof runWriteJob>[0], tools));
