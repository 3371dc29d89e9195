import { parentPort, workerData } from 'node:worker_threads';
import { loadZstd } from '../../store/compress.ts';
import { loadBlake3 } from '../../store/hash.ts';
import type { SealingJob } from '../../store/pack/sealing-messages.ts';
import { serveSealing } from '../../store/pack/sealing-serve.ts';

/** A sealing thread that goes wrong as its environment says: compress, exit, throw or wait. */
const flaw = process.env['TEST_FLAW'];
if (flaw === 'throw') throw new Error('the flaw of a test');
const zstd = await loadZstd({ prefer: workerData.zstd });
const blake3 = await loadBlake3({ prefer: workerData.blake3 });
const port = parentPort!;

if (flaw === 'compress') {
  // One bit of what comes out of every fourth compression is another: as a failing memory does it.
  let calls = 0;
  const compress = (bytes: Uint8Array, level?: number) => {
    const out = zstd.compress(bytes, level);
    if (++calls % 4 === 0) out[out.length >> 1]! ^= 1;
    return out;
  };
  serveSealing({ zstd: { ...zstd, compress }, blake3 });
} else {
  // Before the one that does the work.
  port.on('message', (job: SealingJob) => {
    if (job.kind !== 'seal') return;
    if (flaw === 'exit') process.exit(0);
    if (flaw === 'wait') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });
  serveSealing({ zstd, blake3 });
}
