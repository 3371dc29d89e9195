import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type RunCommandOptions, runCommand } from '../../../engine/command/index.ts';
import { type Clock, systemClock } from '../../../store/index.ts';
import { scratchFolder } from '../../helpers/scratch.ts';
import { sleeperClock } from '../../helpers/sleeper-clock.ts';
import { until } from '../../helpers/small-rig.ts';

const run = (
  script: string,
  { timeoutMs = 60_000, ...options }: Partial<RunCommandOptions> & { readonly timeoutMs?: number } = {},
) =>
  runCommand(
    { run: script, timeoutMs, name: null },
    { moment: 'after-unlock', env: {}, clock: systemClock, ...options },
  );

/** A command that nothing but SIGKILL ends, under a clock that goes on once it runs; what the clock says of its end. */
async function heldFor(moment: RunCommandOptions['moment'], timeoutMs: number): Promise<number> {
  using scratch = scratchFolder();
  const { clock } = sleeperClock();
  const ready = join(scratch.path, 'ready');
  const sleep: Clock['sleep'] = async (ms, signal) => {
    await until(() => existsSync(ready) && readFileSync(ready, 'utf8') !== '', 'it runs');
    return clock.sleep(ms, signal);
  };
  const beganMs = clock.monotonicMs();
  let group = 0;
  const script = `trap "" TERM; echo $$ > ${ready}; while :; do :; done`;
  const ended = run(script, {
    ...{ moment, timeoutMs, clock: { ...clock, sleep } },
    onStarted: pid => {
      group = pid;
    },
  });
  await assert.rejects(ended, { code: 'COMMAND_FAILED' });
  assert.throws(() => process.kill(-group, 0), { code: 'ESRCH' }, 'nothing of it is left');
  return clock.monotonicMs() - beganMs;
}

test('a command that hangs in the window is gone by its time-out, elsewhere a little later', async () => {
  for (const moment of ['in-window', 'freeze-take'] as const)
    assert.ok((await heldFor(moment, 2_000)) <= 2_010, moment);
  assert.ok((await heldFor('before-lock', 2_000)) > 2_010, 'it is given time to put things away');
});

test('of an output of any size the last line is kept, and no more of it than is useful', async () => {
  const much = 'head -c 20000000 /dev/zero | tr "\\0" x';
  assert.equal((await run(`${much}; echo; echo last; echo`)).output, 'last');
  assert.equal((await run(much)).output.length, 1_000);
});

test('what is printed is handed on to the last byte, and a slow taker loses none', async () => {
  let bytes = 0;
  const onOutput = async (part: Uint8Array) => {
    bytes += part.length;
    if (bytes === part.length) await new Promise(resolve => setTimeout(resolve, 300)); // past the end of a short one
  };
  const record = await run('head -c 3000000 /dev/zero; echo marked >&3', { onOutput });
  assert.equal(bytes, 3_000_000);
  assert.equal(record.output, 'marked');
});

test('whoever takes the output or gives the input ends the command by failing', async () => {
  const failure = new Error('the disk is full');
  const onOutput = () => Promise.reject(failure);
  await assert.rejects(run('while true; do echo more; done', { onOutput }), failure);
  const input = (async function* () {
    yield Buffer.from('a');
    throw failure;
  })();
  await assert.rejects(run('cat; sleep 60', { input }), failure);
});

test('an input that is not read to its end is a failure, however the command ends', async () => {
  const input = () =>
    (async function* () {
      for (let i = 0; i < 64; i += 1) yield Buffer.alloc(64 * 1024);
    })();
  await assert.rejects(run('head -c 10 > /dev/null', { input: input() }), { code: 'COMMAND_FAILED' });
  assert.equal((await run('wc -c', { input: input() })).output, '4194304');
});
