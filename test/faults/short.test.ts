import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../helpers/project.ts';

/** Fixed, so that a gate says the same twice; `npm run faults` draws others. */
const seed = 1;

test('a little of every suite of faults finds nothing wrong', () => {
  // A process of its own: the test runner watches every promise of this one, which takes as long as the work itself.
  const main = join(projectRoot, 'dist/test/faults/faults-main.js');
  const args = [...process.execArgv, main, '--short', '--seed', String(seed)];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(status, 0, `npm run faults -- --short --seed ${seed}\n${stdout}${stderr}`);
});
