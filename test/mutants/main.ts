// npm run mutants [-- --schedules 2000 --only NAME --guards]: every mutant, and whether what must catch it does. Those of
// the guards of rows (`--guards`: these alone) are also written into GUARDS.md, with what the test says that fails.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { recordResult } from '../faults/results.ts';
import { play } from '../simulation/play.ts';
import { mutants } from './all.ts';
import { writeGuards } from './guard-table.ts';
import { guardMutants } from './guards.ts';
import { type Mutant, mutate } from './mutant.ts';
import { runWithMutant } from './run-test.ts';

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '3000' },
    only: { type: 'string', multiple: true },
    guards: { type: 'boolean', default: false },
  },
});
const guards = new Map(guardMutants.map(one => [one.name, one]));
/** What the failing test of each guard said. */
const failures = new Map<string, string>();

/** By what it was caught; undefined: by nothing. */
async function catcherOf({ name, caughtBy, covered, patches }: Mutant): Promise<string | undefined> {
  // One that cannot be made would pass for caught by whatever does not start.
  mutate({ name, patches });
  if (caughtBy === 'schedules') {
    // Where nothing is to be found all of them are played, and no first one is sought.
    const threads = covered === undefined ? 1 : availableParallelism();
    const schedules = Number(values.schedules);
    const orders = { mutant: name, firstSeed: 1, schedules, threads, isUntilLoss: true };
    const { losses, schedules: played } = await play(orders);
    return losses[0] && `schedule ${played}: ${losses[0].split('\n')[0]}`;
  }
  for (const file of caughtBy) {
    const { isCaught, says } = await runWithMutant(name, file, guards.get(name)?.test);
    if (!isCaught) continue;
    failures.set(name, says);
    return says === '' ? file : `${file}: ${says}`;
  }
  return undefined;
}

const startMs = performance.now();
let bad = 0;
for (const mutant of mutants) {
  if (values.only?.includes(mutant.name) === false) continue;
  if (values.guards && !guards.has(mutant.name)) continue;
  const catcher = await catcherOf(mutant);
  const isRight = (catcher === undefined) === (mutant.covered !== undefined);
  if (!isRight) bad += 1;
  const what = catcher ?? (mutant.covered ? `nothing lost: ${mutant.covered}` : 'NOT CAUGHT');
  console.log(`${isRight ? 'ok ' : 'BAD'} ${mutant.name.padEnd(40)} ${what.slice(0, 150)}`);
}
if (bad > 0) process.exitCode = 1;
if (failures.size > 0) writeGuards(failures);
const bySchedules = mutants.filter(({ caughtBy }) => caughtBy === 'schedules').length;
const covered = mutants.filter(mutant => mutant.covered !== undefined).length;
if (values.only === undefined && !values.guards)
  recordResult({
    figure: 'bugs put back in, each of which something must find, or another rule cover',
    ci: '4',
    release: 'all',
    reached: mutants.length,
    wrong: bad,
    what: `${bySchedules} by schedules, ${mutants.length - bySchedules} by a test; ${covered} of them are covered by another rule`,
    command: 'npm run mutants',
    seed: '1',
    seconds: (performance.now() - startMs) / 1000,
  });
