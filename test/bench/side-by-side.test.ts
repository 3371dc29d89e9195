import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chartOf } from '../../bench/compare/chart.ts';
import { judge, type Step } from '../../bench/compare/result.ts';
import { tableOf } from '../../bench/compare/table.ts';
import { availableServers } from '../../bench/servers/index.ts';
import { workloads } from '../../bench/workloads/index.ts';

/** They compare with `pg_dump`, which the embedded server has not. */
const needsClient = new Set(['database', 'window']);
/** What small files are copied with is not begun for the others again: each start of these takes a second. */
const elsewhere = ['restic', 'borg'];
/** What these do others do, too; `npm run bench -- --quick` runs all. */
const leftOut = new Set(['packs', 'growth', 'loop']);

describe('workloads measure, restore and compare, with little data', () => {
  let hasClient = false;
  before(async () => {
    hasClient = (await availableServers()).some(({ kind }) => kind === 'debian');
  });
  for (const workload of workloads.filter(({ name }) => !leftOut.has(name))) {
    test(workload.name, async context => {
      if (needsClient.has(workload.name) && !hasClient)
        return context.skip('no PostgreSQL of the system: apt-get install postgresql');
      const folder = mkdtempSync(join(tmpdir(), 'stillpoint-bench-'));
      after(() => rmSync(folder, { recursive: true, force: true }));
      const without = workload.name === 'small-files' ? [] : elsewhere;
      const options = { folder, rounds: 1, quick: true, seed: 1, without };
      const result = await workload.run({ ...options, say: () => undefined });
      assert.equal(result.workload, workload.name);
      const counted = result.steps.flatMap(step => Object.values(step.runs).flat());
      assert.ok(counted.length > 0 && counted.every(value => value >= 0));
      assert.match(chartOf(result), /^<svg [\s\S]*<\/svg>\n$/);
      const lines = tableOf([result]).split('\n');
      assert.equal(lines.length, 2 + result.steps.length);
    });
  }
});

describe('targets', () => {
  const step: Step = {
    name: 'restore',
    unit: 'seconds',
    runs: { stillpoint: [1, 2, 4], restic: [3, 4, 16] },
    targets: [],
  };
  const judged = (target: Step['targets'][number], runs = step.runs) =>
    judge({ ...step, runs, targets: [target] });

  test('a ratio is the median of those of each round', () => {
    const [one] = judged({ kind: 'times-better', than: 'restic', factor: 3 });
    assert.deepEqual([one?.reached, one?.isMet], [3, true]);
    assert.equal(judged({ kind: 'times-better', than: 'restic', factor: 3.1 })[0]?.isMet, false);
  });

  test('who is not there is not judged', () => {
    assert.deepEqual(judged({ kind: 'times-better', than: 'borg', factor: 3 }), []);
  });

  test('values, growth and difference are met up to their limit', () => {
    assert.equal(judged({ kind: 'at-most', value: 2 })[0]?.isMet, true);
    assert.equal(judged({ kind: 'at-most', value: 1.9 })[0]?.isMet, false);
    const runs = { small: [10], large: [40] };
    const pair = { of: 'large', than: 'small' };
    assert.equal(judged({ kind: 'grows-at-most', ...pair, factor: 4 }, runs)[0]?.isMet, true);
    assert.equal(judged({ kind: 'grows-at-most', ...pair, factor: 3.9 }, runs)[0]?.isMet, false);
    assert.equal(judged({ kind: 'more-at-most', ...pair, value: 30 }, runs)[0]?.isMet, true);
    assert.equal(judged({ kind: 'more-at-most', ...pair, value: 29 }, runs)[0]?.isMet, false);
  });
});
