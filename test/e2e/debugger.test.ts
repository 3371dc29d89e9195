import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { createStore, openLocalBackend, systemSeams } from '../../store/index.ts';
import { projectRoot } from '../helpers/project.ts';
import { scratchFolder } from '../helpers/scratch.ts';
import { cheapKdf } from '../helpers/stores.ts';

const program = join(projectRoot, 'dist/program/main.js');

test('SIGUSR1 opens no debugger on a program that has the keys', async () => {
  using scratch = scratchFolder();
  const store = join(scratch.path, 'store');
  const backend = await openLocalBackend(store, { create: true });
  await (await createStore(backend, { passphrase: 'first', seams: systemSeams, kdf: cheapKdf })).close();
  const command = 'kill -USR1 $PPID; sleep 0.3; echo first';
  // Nothing else of this environment: a passphrase in it would come first.
  const env = { PATH: process.env['PATH'], STILLPOINT_PASSPHRASE_COMMAND: command };
  const args = [program, 'snapshots', '--store', store];
  const ended = spawnSync(process.execPath, args, { env, cwd: scratch.path, encoding: 'utf8' });
  assert.deepEqual([ended.status, ended.stderr], [0, '']);
});
