import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { noApplication } from '../../../engine/app/index.ts';
import { checkLeftovers } from '../../../engine/doctor/leftovers.ts';
import { beginRun } from '../../../engine/latch/index.ts';
import { viewRecordPath } from '../../../engine/view/record.ts';
import { systemClock } from '../../../store/index.ts';
import { findingsOf, statesOf } from '../../helpers/findings.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

const dead = JSON.stringify({ pid: 1, started: '1', boot: 'another' });
const name = 'a'.repeat(32);

const check = (stateDir: string, isMending = false) =>
  checkLeftovers({ stateDir, instance: 'a', openApp: noApplication, clock: systemClock, isMending });

test('nothing is left in a state folder that is not there, or that runs left well', async () => {
  using scratch = scratchFolder();
  assert.deepEqual(await statesOf(check(join(scratch.path, 'absent'))), ['ok']);
  await (await beginRun({ stateDir: scratch.path, instance: 'a' })).release();
  assert.deepEqual(await statesOf(check(scratch.path)), ['ok']);
});

test('temporary files of dead processes are found, and removed when that is asked for', async () => {
  using scratch = scratchFolder();
  for (const folder of ['latches', 'runs']) mkdirSync(join(scratch.path, folder));
  const file = (path: string, text = '') => writeFileSync(join(scratch.path, path), text);
  const old = join(scratch.path, 'latches/.tmp-old');
  file('latches/.tmp-old');
  utimesSync(old, 1, 1);
  file('latches/.tmp-new');
  file(`runs/${name}.17-0`, dead);
  file(`runs/${name}.turn`, dead);
  file('runs/other', dead);
  assert.deepEqual(await statesOf(check(scratch.path)), ['warning']);
  assert.ok(existsSync(old));
  // Whoever lives may be writing one just now.
  const run = await beginRun({ stateDir: scratch.path, instance: 'b' });
  await findingsOf(check(scratch.path, true));
  assert.ok(existsSync(old));
  await run.release();
  const [mended] = await findingsOf(check(scratch.path, true));
  assert.deepEqual([mended?.state, mended?.mended], ['ok', true]);
  assert.deepEqual(readdirSync(join(scratch.path, 'latches')), ['.tmp-new']);
  assert.deepEqual(readdirSync(join(scratch.path, 'runs')), ['other']);
});

test('the lock of a dead run is a failure; without its application mending fails and keeps the record', async () => {
  using scratch = scratchFolder();
  mkdirSync(join(scratch.path, 'latches'));
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
    program: JSON.parse(dead),
  };
  const file = join(scratch.path, 'latches', `${name}-r.json`);
  writeFileSync(file, JSON.stringify(record));
  assert.deepEqual(await statesOf(check(scratch.path)), ['failed']);
  assert.deepEqual(await statesOf(check(scratch.path, true)), ['failed']);
  assert.ok(existsSync(file));
});

test('a view of the home that a dead run left is warned of, and left to the next run', async () => {
  using scratch = scratchFolder();
  const place = { stateDir: scratch.path, instance: 'a' };
  const file = viewRecordPath(place, 'r');
  const record = {
    ...{
      version: 1,
      run: 'r',
      mount: '/mnt/view',
      drop: [],
      host: 'here',
      writtenAt: '2026-01-01T00:00:00Z',
    },
    program: JSON.parse(dead),
  };
  mkdirSync(join(scratch.path, 'views'));
  writeFileSync(file, JSON.stringify(record), { mode: 0o600 });
  assert.deepEqual(await statesOf(check(scratch.path, true)), ['warning']);
  assert.ok(existsSync(file));
});
