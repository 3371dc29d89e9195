import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command, CommandRecord } from '../../../engine/command/index.ts';
import { aboutHooks, runRestoreHooks } from '../../../engine/restore/hooks.ts';
import type { SnapshotId } from '../../../store/index.ts';
import { systemClock } from '../../../store/index.ts';
import { somePair } from '../../helpers/pairs.ts';

const hook = (run: string, name: string | null = null): Command => ({ run, timeoutMs: 60_000, name });
const record = (name: string | null, output: string, run = 'true'): CommandRecord => ({
  moment: 'in-window',
  name,
  run,
  durationMs: 1,
  output,
});
const snapshotWith = (commands: readonly CommandRecord[], configuration = '{}') => ({
  ...somePair,
  commands,
  configuration,
  id: 'ab'.repeat(32) as SnapshotId,
  host: 'alpha',
  sequence: 1,
});
const runOn = (commands: readonly CommandRecord[], hooks: readonly Command[]) =>
  runRestoreHooks(hooks, { snapshot: snapshotWith(commands), clock: systemClock });

test('a hook is given what the last command of its name printed; one without a twin runs with a warning', async () => {
  const ran = await runOn(
    [record('search', 'begun'), record('other', 'x'), record('search', 'done')],
    [hook('echo "$STILLPOINT_OUTPUT"', 'search'), hook('echo "${STILLPOINT_OUTPUT-unset}"', 'unknown')],
  );
  assert.deepEqual(
    ran.records.map(({ output }) => output),
    ['done', 'unset'],
  );
  assert.equal(ran.warnings.length, 1);
  assert.equal(ran.failure, undefined);
});

test('the first hook that fails is the last that runs', async () => {
  const ran = await runOn([], [hook('echo one'), hook('exit 1'), hook('echo three')]);
  assert.deepEqual(
    ran.records.map(({ output }) => output),
    ['one'],
  );
  assert.equal((ran.failure as { code: string }).code, 'COMMAND_FAILED');
  assert.equal(ran.warnings.length, 1);
});

test('records that no environment can hold are handed over without their commands', async () => {
  const many = Array.from({ length: 60 }, (_, i) => record(`hook-${i}`, 'x', 'y'.repeat(4_000)));
  const ran = await runOn(many, [hook('printf %s "$STILLPOINT_RECORDS" | wc -c')]);
  assert.equal(ran.failure, undefined);
  assert.ok(Number(ran.records[0]?.output) > 60 * 20);
});

test('the hooks of a snapshot are counted, whatever its configuration says, and never run', () => {
  const about = (configuration: string, hooks: readonly Command[] = []) =>
    aboutHooks(snapshotWith([], configuration), hooks).length;
  const configured = JSON.stringify({ hooks: { restore: [{ run: 'echo' }] } });
  assert.equal(about(configured), 1);
  assert.equal(about(configured, [hook('echo')]), 0);
  for (const other of ['{}', 'null', '{"hooks":7}', '{"hooks":{"restore":"x"}}', 'no JSON'])
    assert.equal(about(other), 0);
});
