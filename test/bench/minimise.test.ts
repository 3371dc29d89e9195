import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rollDice } from '../../bench/instance/random.ts';
import { planRounds } from '../../bench/rows/events.ts';
import { eventsOf, formatNumbers, keepEvents, minimise, parseNumbers } from '../../bench/rows/minimise.ts';

const plan = planRounds(rollDice(5), 12);

test('a plan is the same for the same seed, however many backups of it are made', () => {
  assert.deepEqual(planRounds(rollDice(5), 12), plan);
  assert.deepEqual(planRounds(rollDice(5), 7), plan.slice(0, 7));
  assert.notDeepEqual(planRounds(rollDice(6), 12), plan);
});

test('a failing plan becomes the two events and the two backups that it takes', async () => {
  const events = eventsOf(plan);
  const guilty = [events[9]!.id, events[40]!.id];
  const needed = [plan[4]!.number, plan[11]!.number];
  let tries = 0;
  const small = await minimise(
    plan,
    async rounds => {
      tries += 1;
      const ids = eventsOf(rounds).map(event => event.id);
      const numbers = rounds.map(round => round.number);
      const held = plan.filter(round => eventsOf([round]).some(event => guilty.includes(event.id)));
      return (
        guilty.every(id => ids.includes(id)) &&
        [...needed, ...held.map(round => round.number)].every(number => numbers.includes(number))
      );
    },
    () => tries > 500,
  );
  assert.deepEqual(
    eventsOf(small).map(event => event.id),
    guilty,
  );
  assert.ok(small.length <= 4 && small.at(-1)!.number === 11);
});

test('numbers on a command line say which events to keep', () => {
  const numbers = [0, 1, 2, 5, 7, 8];
  assert.equal(formatNumbers(numbers), '0-2,5,7-8');
  assert.deepEqual([...parseNumbers('0-2,5,7-8')], numbers);
  const [third] = eventsOf(plan).slice(3);
  assert.deepEqual(eventsOf(keepEvents(plan, new Set([third!.id]))), [third]);
  assert.deepEqual(eventsOf(keepEvents(plan, parseNumbers('none'))), []);
});
