import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { activeRun, beginRun, listRuns, watchRun } from '../../../engine/latch/index.ts';
import type { SnapshotId } from '../../../store/index.ts';

async function withStateDir(work: (stateDir: string) => Promise<void>): Promise<void> {
  const stateDir = await mkdtemp(path.join(tmpdir(), 'run-'));
  try {
    await work(stateDir);
  } finally {
    await rm(stateDir, { recursive: true });
  }
}

test('one run of an instance at a time, others beside it', () =>
  withStateDir(async stateDir => {
    const first = await beginRun({ stateDir, instance: 'a' });
    await assert.rejects(beginRun({ stateDir, instance: 'a' }), { code: 'RUN_ACTIVE' });
    assert.equal((await activeRun({ stateDir, instance: 'a' }))?.pid, process.pid);
    const other = await beginRun({ stateDir, instance: '../b' });
    await first.release();
    await first.release();
    assert.equal(await activeRun({ stateDir, instance: 'a' }), undefined);
    await (await beginRun({ stateDir, instance: 'a' })).release();
    await other.release();
    assert.deepEqual(await readdir(path.join(stateDir, 'runs')), []);
  }));

test('a run that cannot remove its guard has ended all the same', () =>
  withStateDir(async stateDir => {
    const run = await beginRun({ stateDir, instance: 'a' });
    await rm(run.file);
    await mkdir(run.file);
    await run.release();
    await rm(run.file, { recursive: true });
  }));

test('a run that died is taken over, whatever has its pid now', () =>
  withStateDir(async stateDir => {
    const child = spawn('true');
    await new Promise(resolve => child.once('exit', resolve));
    const guard = await beginRun({ stateDir, instance: 'a' });
    await guard.release();
    const dead = [
      { pid: child.pid, started: '1', boot: '' },
      { pid: process.pid, started: '1', boot: 'another' },
      { pid: process.pid, started: '1' },
      'not JSON of ours',
    ];
    for (const holder of dead) {
      await writeFile(guard.file, typeof holder === 'string' ? holder : JSON.stringify(holder));
      assert.equal(await activeRun({ stateDir, instance: 'a' }), undefined);
      await (await beginRun({ stateDir, instance: 'a' })).release();
    }
    assert.deepEqual(await readdir(path.join(stateDir, 'runs')), []);
  }));

test('of many that find a dead run at once, one takes its place', () =>
  withStateDir(async stateDir => {
    const guard = await beginRun({ stateDir, instance: 'a' });
    await guard.release();
    await writeFile(guard.file, JSON.stringify({ pid: process.pid, started: '1', boot: 'another' }));
    const runs = await Promise.allSettled(
      Array.from({ length: 20 }, () => beginRun({ stateDir, instance: 'a' })),
    );
    assert.equal(runs.filter(run => run.status === 'fulfilled').length, 1);
    const name = path.basename(guard.file);
    assert.deepEqual(await readdir(path.join(stateDir, 'runs')), [name, `${name}.note`]);
  }));

test('a run says where it is, and that it has committed, also to whoever looked before its end', () =>
  withStateDir(async stateDir => {
    assert.deepEqual(await listRuns(stateDir), []);
    assert.equal(await watchRun({ stateDir, instance: 'a' }), undefined);
    const run = await beginRun({ stateDir, instance: 'a' });
    run.note('capture');
    const [listed] = await listRuns(stateDir);
    assert.deepEqual(
      [listed?.instance, listed?.holder.pid, listed?.note],
      ['a', process.pid, { phase: 'capture', snapshot: null }],
    );
    await using watched = await watchRun({ stateDir, instance: 'a' });
    const snapshot = 'ab'.repeat(32) as SnapshotId;
    run.noteCommitted(snapshot);
    await run.release();
    assert.deepEqual(await watched?.readNote(), { phase: 'commit', snapshot });
    assert.deepEqual(await listRuns(stateDir), []);
  }));

test('a note that cannot be written fails no run, and one that is no note says nothing', () =>
  withStateDir(async stateDir => {
    const run = await beginRun({ stateDir, instance: 'a' });
    await writeFile(`${run.file}.note`, 'something else\n');
    assert.deepEqual((await listRuns(stateDir))[0]?.note, { phase: null, snapshot: null });
    await rm(`${run.file}.note`);
    await mkdir(`${run.file}.note`);
    run.note('drain');
    assert.deepEqual((await listRuns(stateDir))[0]?.note, { phase: null, snapshot: null });
    await run.release();
    assert.deepEqual(await listRuns(stateDir), []);
  }));
