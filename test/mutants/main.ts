// npm run mutants [-- --schedules 2000 --only NAME]: every mutant, and whether what must catch it does.
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { recordResult } from '../faults/results.ts';
import { projectRoot } from '../helpers/project.ts';
import { play } from '../simulation/play.ts';
import { mutants } from './all.ts';
import type { Mutant } from './mutant.ts';

const { values } = parseArgs({
  options: { schedules: { type: 'string', default: '3000' }, only: { type: 'string' } },
});

/** By what it was caught; undefined: by nothing. */
async function catcherOf({ name, caughtBy, covered }: Mutant): Promise<string | undefined> {
  if (caughtBy === 'schedules') {
    // Where nothing is to be found all of them are played, and no first one is sought.
    const threads = covered === undefined ? 1 : availableParallelism();
    const schedules = Number(values.schedules);
    const orders = { mutant: name, firstSeed: 1, schedules, threads, isUntilLoss: true };
    const { losses, schedules: played } = await play(orders);
    return losses[0] && `schedule ${played}: ${losses[0].split('\n')[0]}`;
  }
  for (const file of caughtBy) if (!(await passes(file, name))) return file;
  return undefined;
}

function passes(file: string, mutant: string): Promise<boolean> {
  const register = join(projectRoot, 'dist/test/mutants/register.js');
  const child = spawn(process.execPath, ['--import', register, join(projectRoot, 'dist', file)], {
    env: { ...process.env, STILLPOINT_MUTANT: mutant },
    stdio: 'ignore',
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', code => resolve(code === 0));
  });
}

const startMs = performance.now();
let bad = 0;
for (const mutant of mutants) {
  if (values.only !== undefined && mutant.name !== values.only) continue;
  const catcher = await catcherOf(mutant);
  const isRight = (catcher === undefined) === (mutant.covered !== undefined);
  if (!isRight) bad += 1;
  const what = catcher ?? (mutant.covered ? `nothing lost: ${mutant.covered}` : 'NOT CAUGHT');
  console.log(`${isRight ? 'ok ' : 'BAD'} ${mutant.name.padEnd(40)} ${what.slice(0, 150)}`);
}
if (bad > 0) process.exitCode = 1;
const bySchedules = mutants.filter(({ caughtBy }) => caughtBy === 'schedules').length;
const covered = mutants.filter(mutant => mutant.covered !== undefined).length;
if (values.only === undefined)
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
