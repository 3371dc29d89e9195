import { workerData } from 'node:worker_threads';
import { loadZstd } from '../compress.ts';
import { loadBlake3 } from '../hash.ts';
import type { SealingWorkerData } from './sealing-messages.ts';
import { serveSealing } from './sealing-serve.ts';

/** A worker thread that compresses and seals. */
const { zstd, blake3 } = workerData as SealingWorkerData;
serveSealing({
  zstd: await loadZstd({ prefer: zstd }),
  blake3: await loadBlake3({ prefer: blake3 }),
});
