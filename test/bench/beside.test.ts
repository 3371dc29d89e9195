import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { readHappenings } from '../../bench/beside/happenings.ts';
import { projectRoot } from '../helpers/project.ts';

test('five processes on one folder lose nothing', () => {
  const main = join(projectRoot, 'dist/test/beside/main.js');
  const told = execFileSync(process.execPath, [main, '--runs', '2'], { encoding: 'utf8' });
  assert.match(told, /2 runs .* 0 runs lost a snapshot/s);
});

const log = (...lines: readonly (readonly (string | number)[])[]): string =>
  lines.map(words => `${words.join('\t')}\n`).join('');
const intent = (from: number, to: number) => ['put', 'writer', 'intents/a', 'created', from, to];
const removed = (at: number) => ['delete', 'writer', 'intents/a', 'undefined', at, at + 1];
const sweep = (from: number, to: number) => ['put', 'pruner', 'gc/1.sweep', 'created', from, to];
const done = (at: number) => ['put', 'pruner', 'gc/1.done', 'created', at, at + 1];
const killed = (at: number) => ['killed', 'writer', 'commit', at];

test('a sweep counts as beside an intent where both were there for certain', () => {
  const counted = (writer: string, pruner: string): string => {
    const { besideIntent, overlapped } = readHappenings([writer, pruner]);
    return `${besideIntent.length} ${overlapped.length}`;
  };
  const pruned = log(sweep(20, 25), done(40));
  assert.equal(counted(log(intent(10, 12), removed(30)), pruned), '1 1');
  assert.equal(
    counted(log(intent(10, 12), removed(22)), pruned),
    '0 0',
    'gone before the sweep was there for certain',
  );
  assert.equal(counted(log(intent(30, 32), removed(50)), pruned), '0 1', 'while it deleted');
  assert.equal(counted(log(intent(42, 44), removed(50)), pruned), '0 0', 'after it was done');
  assert.equal(counted(log(intent(10, 12), killed(15)), pruned), '0 0', 'of a run that was dead');
  assert.equal(
    counted(log(intent(10, 12)), log(['put', 'writer', 'gc/1.sweep', 'created', 20, 25])),
    '0 0',
    'a veto',
  );
  assert.equal(
    counted(log(intent(10, 12)), log(['put', 'pruner', 'gc/1.sweep', 'exists', 20, 25])),
    '0 0',
    'refused',
  );
});
