import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { noApplication } from '../../engine/app/index.ts';
import { type CancelOptions, cancelRun } from '../../engine/cancel.ts';
import { beginRun, listRuns } from '../../engine/latch/index.ts';
import { recordPath } from '../../engine/latch/record.ts';
import { type SnapshotId, systemClock } from '../../store/index.ts';
import { isRoot } from '../helpers/home-tree.ts';
import { scratchFolder } from '../helpers/scratch.ts';

const fileOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const nobody = 65534;
const snapshot = 'ab'.repeat(32) as SnapshotId;
const other = 'cd'.repeat(32) as SnapshotId;

async function holding(stateDir: string, how: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [fileOf('./holding-main.js'), stateDir, 'a', how], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

const optionsFor = (stateDir: string): CancelOptions => ({
  stateDir,
  instance: 'a',
  clock: systemClock,
  signal: new AbortController().signal,
  grace: { lockedMs: 300, unlockedMs: 300 },
  openApp: noApplication,
  findSnapshot: async () => null,
});

describe('canceling a run', { skip: process.platform !== 'linux' }, () => {
  test('one that does not end when asked to is killed', async () => {
    using scratch = scratchFolder();
    const child = await holding(scratch.path, 'deaf');
    const ended = once(child, 'exit');
    const result = await cancelRun(optionsFor(scratch.path));
    assert.deepEqual((await ended)[1], 'SIGKILL');
    assert.ok('pid' in result);
    assert.deepEqual([result.pid, result.isKilled, result.snapshot], [child.pid, true, null]);
  });

  test('one that locks is not waited for as long as one that cleans up, and its lock must be released', async () => {
    using scratch = scratchFolder();
    const child = await holding(scratch.path, 'deaf');
    const [run] = await listRuns(scratch.path);
    const record = {
      ...{
        version: 1,
        run: 'r',
        instance: 'a',
        host: 'here',
        token: 't',
        lockRequestedAt: '2026-01-01T00:00:00Z',
      },
      application: { type: 'bitbucket', location: 'http://127.0.0.1:9', user: 'admin' },
      program: run!.holder,
    };
    mkdirSync(join(scratch.path, 'latches'));
    writeFileSync(recordPath(scratch.path, record), JSON.stringify(record));
    const ended = once(child, 'exit');
    const grace = { lockedMs: 100, unlockedMs: 120_000 };
    // no sentinel, and no application that could be unlocked
    await assert.rejects(cancelRun({ ...optionsFor(scratch.path), grace }), { code: 'APP_STILL_LOCKED' });
    assert.equal((await ended)[1], 'SIGKILL');
  });

  test('one that had committed has ended well: its snapshot is named', async () => {
    using scratch = scratchFolder();
    await holding(scratch.path, snapshot);
    const result = await cancelRun({ ...optionsFor(scratch.path), findSnapshot: async () => other });
    assert.ok('pid' in result);
    assert.deepEqual([result.isKilled, result.snapshot], [false, snapshot]);
  });

  test('of one that ended while it committed, the store says whether it did', async () => {
    using scratch = scratchFolder();
    await holding(scratch.path, 'commit');
    const result = await cancelRun({ ...optionsFor(scratch.path), findSnapshot: async () => other });
    assert.ok('pid' in result);
    assert.equal(result.snapshot, other);
  });

  test('a process that only has the number of a dead run is left alone', async () => {
    using scratch = scratchFolder();
    const child = await holding(scratch.path, 'deaf');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const run = await beginRun({ stateDir: scratch.path, instance: 'b' });
    await run.release();
    assert.deepEqual(await cancelRun(optionsFor(scratch.path)), { leftLocks: 0 });
  });

  const skip = isRoot ? false : 'only root can become another user';
  test('who may not end it, or not look, learns as which user to run it', { skip }, async () => {
    using scratch = scratchFolder();
    const child = await holding(scratch.path, 'deaf');
    const args = [fileOf('./canceling-main.js'), scratch.path, 'a', String(nobody)];
    const asNobody = () => execFileSync(process.execPath, args, { encoding: 'utf8' });
    assert.match(asNobody(), /^CONFIG_INVALID .*\broot\b/);
    const runs = join(scratch.path, 'runs');
    for (const folder of [scratch.path, runs]) chmodSync(folder, 0o755);
    for (const name of readdirSync(runs)) chmodSync(join(runs, name), 0o644);
    assert.match(asNobody(), /^RUN_ACTIVE .*\broot\b/);
    assert.equal(child.exitCode, null);
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
});
