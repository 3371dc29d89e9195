// npm run bench:beside [-- --runs 1000 --seed 1 --mutant NAME]: three backups and two prunes as processes on one store, killed anywhere.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Crew } from './crew.ts';
import { type Outcome, runOnce } from './run.ts';
import { prunerSteps, writerSteps } from './steps.ts';
import { makeTemplate } from './store.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    mutant: { type: 'string' },
  },
});
const runs = Number(values.runs);
const firstSeed = Number(values.seed);
// The hosts run with a bug (test/mutants/), to see that it is found; then the first run that shows it is the last.
const execArgv =
  values.mutant === undefined
    ? []
    : ['--import', new URL('../../test/mutants/register.js', import.meta.url).href];
if (values.mutant !== undefined) process.env['STILLPOINT_MUTANT'] = values.mutant;
const scratch = mkdtempSync(join(tmpdir(), 'stillpoint-beside-'));
const template = join(scratch, 'template');
const world = {
  ...(await makeTemplate(template)),
  template,
  scratch,
  crew: new Crew(template, { execArgv }),
};
const outcomes: Outcome[] = [];
const startMs = performance.now();
try {
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    const outcome = await runOnce(world, seed);
    outcomes.push(outcome);
    for (const failure of outcome.failures) console.log(failure);
    if (values.mutant !== undefined && outcome.failures.some(what => what.includes('is lost'))) break;
    if (outcomes.length % 100 === 0) tell();
    if (outcomes.length % 500 === 0) tellKills();
  }
} finally {
  world.crew.end();
  rmSync(scratch, { recursive: true });
}
if (outcomes.length % 100 !== 0) tell();
if (outcomes.length % 500 !== 0) tellKills();
const failed = outcomes.filter(({ failures }) => failures.length > 0).length;
if (failed > 0) process.exitCode = 1;

function sum(of: (outcome: Outcome) => number): number {
  return outcomes.reduce((total, outcome) => total + of(outcome), 0);
}

function tell(): void {
  const seconds = (performance.now() - startMs) / 1000;
  console.log(
    `${outcomes.length} runs of 3 backups and 2 prunes as processes on one folder: ${sum(o => o.commits)} commits, ` +
      `${sum(o => o.sweeps)} sweeps, ${sum(o => o.vetoes)} vetoes, ${sum(o => o.kills.length)} kills; in ` +
      `${sum(o => Number(o.overlapped))} runs a sweep beside an open intent, in ${sum(o => Number(o.besideIntent))} created ` +
      `beside it; ${sum(o => Number(o.failures.length > 0))} runs lost a snapshot or went wrong; ${seconds.toFixed(0)} s`,
  );
}

function tellKills(): void {
  const kills = outcomes.flatMap(outcome => outcome.kills);
  for (const [role, steps] of [
    ['writer', writerSteps],
    ['pruner', prunerSteps],
  ] as const)
    for (const step of steps)
      console.log(
        `  killed: ${`${role}, ${step}`.padEnd(22)} ${kills.filter(kill => kill === `${role}, ${step}`).length}`,
      );
}
