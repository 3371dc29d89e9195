import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { isAlive, type ProcessIdentity } from '../../../engine/process-identity.ts';
import {
  markUnfinished,
  prepareHomeTarget,
  restoreMarkerName,
  takeHomeTarget,
} from '../../../engine/restore/marker.ts';
import type { SnapshotId } from '../../../store/index.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

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
    await assert.rejects(prepareHomeTarget(target, { snapshot }), { code: 'RUN_ACTIVE' });
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
  await prepareHomeTarget(target, { snapshot });
  assert.deepEqual(readdirSync(target), [restoreMarkerName]);
});

test('what a dead run of another restore left is not touched', async () => {
  using scratch = scratchFolder();
  const target = `${scratch.path}/target`;
  const other = await halfRestored(target);
  other.kill('SIGKILL');
  await once(other, 'exit');
  await assert.rejects(prepareHomeTarget(target, { snapshot: 'cd'.repeat(32) as SnapshotId }), {
    code: 'TARGET_NOT_EMPTY',
  });
  assert.ok(existsSync(`${target}/half`));
});

test('a link that leads nowhere is no place to restore into, and is told as such', async () => {
  using scratch = scratchFolder();
  const target = `${scratch.path}/target`;
  symlinkSync(`${scratch.path}/nowhere`, target);
  await assert.rejects(takeHomeTarget(target, { snapshot }), {
    code: 'TARGET_FAILED',
    message: /a link that leads nowhere is there/,
  });
});

test('of two runs that find a folder empty at the same time one gets it', async () => {
  using scratch = scratchFolder();
  const target = `${scratch.path}/target`;
  const other = 'cd'.repeat(32) as SnapshotId;
  const runs = [snapshot, other].map(async wanted => {
    await prepareHomeTarget(target, { snapshot: wanted });
    await takeHomeTarget(target, { snapshot: wanted });
    return wanted;
  });
  const ended = await Promise.allSettled(runs);
  const [winner, ...others] = ended.flatMap(end => (end.status === 'fulfilled' ? [end.value] : []));
  const losers = ended.flatMap(end =>
    end.status === 'rejected' ? [(end.reason as { code: string }).code] : [],
  );
  assert.deepEqual([others, losers], [[], ['TARGET_NOT_EMPTY']]);
  assert.deepEqual(readdirSync(target), [restoreMarkerName]);
  assert.ok(readFileSync(`${target}/${restoreMarkerName}`, 'utf8').startsWith(`${winner}\n`));
});

test('a folder that another run has filled and left meanwhile is not taken, and not marked', async () => {
  using scratch = scratchFolder();
  const target = `${scratch.path}/target`;
  await prepareHomeTarget(target, { snapshot });
  mkdirSync(target);
  writeFileSync(`${target}/whole`, '');
  await assert.rejects(takeHomeTarget(target, { snapshot }), { code: 'TARGET_NOT_EMPTY' });
  assert.deepEqual(readdirSync(target), ['whole']);
});

test('a part of a snapshot and all of it are different restores', async () => {
  using scratch = scratchFolder();
  const target = `${scratch.path}/target`;
  const selection = '{"paths":["a"]}';
  await takeHomeTarget(target, { snapshot, selection });
  for (const another of [{ snapshot }, { snapshot, selection: '{"paths":["b"]}' }])
    await assert.rejects(prepareHomeTarget(target, another), { code: 'TARGET_NOT_EMPTY' });
  await prepareHomeTarget(target, { snapshot, selection });
});

test('a restore that was begun with other options is another one, and says which differ', async () => {
  using scratch = scratchFolder();
  const target = `${scratch.path}/target`;
  const options = { '--owner': 'keep', '--database': '127.0.0.1:5432/one' };
  await takeHomeTarget(target, { snapshot, options });
  for (const [name, value] of [
    ['--owner', '7:7'],
    ['--set-jdbc', 'given'],
  ] as const)
    await assert.rejects(prepareHomeTarget(target, { snapshot, options: { ...options, [name]: value } }), {
      code: 'TARGET_NOT_EMPTY',
      message: new RegExp(name),
    });
  await prepareHomeTarget(target, { snapshot, options });
  await assert.rejects(prepareHomeTarget(target, { snapshot, options: { '--owner': 'keep' } }), {
    code: 'TARGET_NOT_EMPTY',
  });
  writeFileSync(`${target}/${restoreMarkerName}`, `${snapshot}\n\n\n\n[]\n`);
  await prepareHomeTarget(target, { snapshot, options }); // of a program that did not note them
});

test('whoever begins a dead run again beside another one gets it or is told so', async () => {
  using scratch = scratchFolder();
  for (let turn = 0; turn < 20; turn += 1) {
    const target = `${scratch.path}/target-${turn}`;
    mkdirSync(target);
    writeFileSync(`${target}/${restoreMarkerName}`, `${snapshot}\n127.0.0.1:5432/whole\n`);
    writeFileSync(`${target}/half`, '');
    const ended = await Promise.allSettled([
      prepareHomeTarget(target, { snapshot }),
      prepareHomeTarget(target, { snapshot }),
    ]);
    const won = ended.flatMap(end => (end.status === 'fulfilled' ? [end.value?.wholeDatabase] : []));
    assert.ok(won.length >= 1 && won.every(name => name === '127.0.0.1:5432/whole'), String(won));
    for (const end of ended)
      if (end.status === 'rejected') assert.equal((end.reason as { code: string }).code, 'RUN_ACTIVE');
    assert.deepEqual(readdirSync(target), [restoreMarkerName]);
  }
});

test('a run that was killed while it took over from a dead one is begun again', async () => {
  using scratch = scratchFolder();
  const target = `${scratch.path}/target`;
  mkdirSync(target);
  writeFileSync(`${target}/${restoreMarkerName}.12345-678`, `${snapshot}\n`);
  writeFileSync(`${target}/half`, '');
  await assert.rejects(prepareHomeTarget(target, { snapshot, selection: 'a part' }), {
    code: 'TARGET_NOT_EMPTY',
  });
  await prepareHomeTarget(target, { snapshot });
  assert.deepEqual(readdirSync(target), [restoreMarkerName]);
});
