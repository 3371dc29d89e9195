import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { runHere } from '../../bench/rig/index.ts';
import { createStore, openLocalBackend } from '../../store/index.ts';
import { scratchFolder } from '../helpers/scratch.ts';
import { sleeperClock } from '../helpers/sleeper-clock.ts';
import { cheapKdf, reopenStore, testPassphrase } from '../helpers/stores.ts';

test('a prune says whom it waits for and for how long, who was dead, and nothing of it to cron', async () => {
  using scratch = scratchFolder();
  const place = join(scratch.path, 'store');
  const { clock, seams } = sleeperClock();
  const open = (create: boolean) => openLocalBackend(place, { create });
  await (await createStore(await open(true), { passphrase: testPassphrase, seams, kdf: cheapKdf })).close();
  const still = { ...seams, clock: { ...clock, every: () => () => undefined } };
  const prune = async (env: Record<string, string>, ...args: string[]) => {
    await (await reopenStore(await open(false), still)).beginBackup({ host: 'died here' });
    const own = { STILLPOINT_PASSPHRASE: testPassphrase, ...env };
    const command = ['prune', '--allow-empty', '--store', place, ...args];
    const { code, stderr } = await runHere(command, { cwd: scratch.path, env: own, seams });
    assert.equal(code, 0, stderr);
    return stderr;
  };
  assert.equal(await prune({}), '');
  const told = await prune({ STILLPOINT_PROGRESS_FPS: '1000' }, '-v');
  assert.match(told, /Waiting for a sign of life of a backup on died here/);
  assert.match(told, /The backup on died here showed none: it is dead, and what it left is cleaned up/);
  assert.match(told, /prune-wait +\d+ of 20 s without a sign of life/);
  assert.match(await prune({}, '-v', '--dry-run'), /The backup on died here showed none: it is dead\n/);
});
