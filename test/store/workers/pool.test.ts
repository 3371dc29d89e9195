import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startWorkers } from '../../../store/index.ts';

const program = (text: string): URL =>
  new URL(
    `data:text/javascript,${encodeURIComponent(`import { parentPort } from 'node:worker_threads';${text}`)}`,
  );
const onEnd = () => Object.assign(new Error('ended'), { code: 'ENDED' });

test('a thread that ends fails what waits for it and what comes after', async () => {
  await using pool = startWorkers<string, string>({
    program: program(`parentPort.on('message', () => process.exit(0))`),
    size: 1,
    data: undefined,
    onEnd,
  });
  const jobs = [pool.run('a'), pool.run('b')];
  for (const job of jobs) await assert.rejects(job, { code: 'ENDED' });
  await assert.rejects(pool.run('c'), { code: 'ENDED' });
  assert.equal(pool.waiting, 0);
});

test('jobs are shared among threads and answered each by its own answer', async () => {
  await using pool = startWorkers<number, number>({
    program: program(`parentPort.on('message', n => parentPort.postMessage({ answer: 2 * n }))`),
    size: 2,
    data: undefined,
    onEnd,
  });
  const answers = await Promise.all([1, 2, 3, 4, 5].map(n => pool.run(n)));
  assert.deepEqual(answers, [2, 4, 6, 8, 10]);
});

test('who ends a pool fails what waits, and nobody waits for ever', async () => {
  const pool = startWorkers<string, string>({ program: program(''), size: 1, data: undefined, onEnd });
  const job = assert.rejects(pool.run('a'), { code: 'ENDED' });
  await pool[Symbol.asyncDispose]();
  await job;
});
