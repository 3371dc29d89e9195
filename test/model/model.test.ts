import assert from 'node:assert/strict';
import { test } from 'node:test';
import { worlds } from './configurations.ts';
import { explore } from './explore.ts';
import { meet, mutants } from './mutants.ts';
import { rules } from './rules.ts';

test('no order of steps, deaths and lost answers loses what a snapshot or a reader needs', () => {
  let states = 0;
  for (const world of Object.values(worlds)) {
    const explored = explore(world);
    states += explored.states;
    assert.equal(explored.violation, undefined, `${world.name}\n${explored.violation?.trace.join('\n')}`);
    assert.ok(explored.isWhole && explored.cut === 0, world.name);
    assert.ok(explored.sweeps > 0, `${world.name}: nothing was ever swept`);
  }
  assert.ok(states >= 100_000, `${states} states`);
});

test('every rule of the protocol is there for a reason', () => {
  const named = new Set(mutants.flatMap(({ without }) => without));
  assert.deepEqual(
    Object.keys(rules).filter(rule => !named.has(rule as keyof typeof rules)),
    [],
  );
});

for (const mutant of mutants) {
  const what = mutant.without.map(rule => rules[rule]).join(', and ');
  test(
    mutant.harmless
      ? `nothing is lost where ${what}: another rule covers it`
      : `something is lost where ${what}`,
    () => {
      const { isAsExpected, found } = meet(mutant, { isQuick: true });
      assert.ok(isAsExpected, found?.trace.join('\n'));
    },
  );
}
