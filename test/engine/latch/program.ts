/** A program that holds a latch, to be killed: `node program.js OPTIONS`, options as JSON. Tells its phases on stdout. */
import { bitbucket } from '../../../engine/app/index.ts';
import { beginRun, withLatch } from '../../../engine/latch/index.ts';
import { systemClock } from '../../../store/index.ts';

const { url, stateDir, maxHoldMs } = JSON.parse(process.argv[2] ?? '') as {
  readonly url: string;
  readonly stateDir: string;
  readonly maxHoldMs: number;
};
const say = (line: string) => process.stdout.write(`${line}\n`);
const app = bitbucket({
  type: 'bitbucket',
  url,
  user: 'admin',
  password: process.env['TEST_PASSWORD'] ?? '',
});
try {
  await using _guard = await beginRun({ stateDir, instance: 'instance' });
  await withLatch(
    {
      app,
      stateDir,
      instance: 'instance',
      drainTimeoutMs: 5_000,
      maxHoldMs,
      clock: systemClock,
      onPhase: phase => void say(phase),
    },
    async window => {
      say('body');
      await new Promise((_, reject) => {
        const alive = setInterval(() => undefined, 1_000);
        window.signal.addEventListener('abort', () => {
          clearInterval(alive);
          reject(window.signal.reason);
        });
      });
    },
  );
  say('done');
} catch (error) {
  say((error as { readonly code?: string }).code ?? String(error));
} finally {
  await app.close();
}
