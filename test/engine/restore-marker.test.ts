import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { isAlive, type ProcessIdentity } from '../../engine/process-identity.ts';
import { markUnfinished, prepareHomeTarget, restoreMarkerName } from '../../engine/restore-marker.ts';
import type { SnapshotId } from '../../store/index.ts';
import { scratchFolder } from '../helpers/scratch.ts';

const snapshot = 'ab'.repeat(32) as SnapshotId;

/** A target that another process is filling, by its marker; the process is a sleeping one. */
async function halfRestored(target: string) {
  mkdirSync(target, { recursive: true });
  await markUnfinished(target, { snapshot });
  const marker = `${target}/${restoreMarkerName}`;
  const [named = '', database = '', own = ''] = readFileSync(marker, 'utf8').split('\n');
  const other = spawn('sleep', ['60'], { stdio: 'ignore' });
  const [, started = ''] = /\) (?:\S+ ){19}(\d+)/.exec(readFileSync(`/proc/${other.pid}/stat`, 'utf8')) ?? [];
  const identity: ProcessIdentity = { ...(JSON.parse(own) as ProcessIdentity), pid: other.pid!, started };
  assert.equal(await isAlive(identity), true);
  writeFileSync(marker, [named, database, JSON.stringify(identity), ''].join('\n'));
  writeFileSync(`${target}/half`, 'half of a file');
  return other;
}

test('a folder that a living run restores into is left alone', async () => {
  using scratch = scratchFolder();
  const target = `${scratch.path}/target`;
  const other = await halfRestored(target);
  try {
    await assert.rejects(prepareHomeTarget(target, snapshot), { code: 'RUN_ACTIVE' });
    assert.equal(readFileSync(`${target}/half`, 'utf8'), 'half of a file');
    assert.ok(existsSync(`${target}/${restoreMarkerName}`));
  } finally {
    other.kill('SIGKILL');
    await once(other, 'exit');
  }
});

test('what a dead run of the same restore left is cleared', async () => {
  using scratch = scratchFolder();
  const target = `${scratch.path}/target`;
  const other = await halfRestored(target);
  other.kill('SIGKILL');
  await once(other, 'exit');
  await prepareHomeTarget(target, snapshot);
  assert.deepEqual(readdirSync(target), [restoreMarkerName]);
});

test('what a dead run of another restore left is not touched', async () => {
  using scratch = scratchFolder();
  const target = `${scratch.path}/target`;
  const other = await halfRestored(target);
  other.kill('SIGKILL');
  await once(other, 'exit');
  await assert.rejects(prepareHomeTarget(target, 'cd'.repeat(32) as SnapshotId), {
    code: 'TARGET_NOT_EMPTY',
  });
  assert.ok(existsSync(`${target}/half`));
});
