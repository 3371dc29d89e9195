// npm run bench:beside [-- --runs 1000 --seed 1 --mutant NAME]: three backups and two prunes as processes on one store, killed
// anywhere. A thousand runs, or a bug that they find, write bench/results/beside.json.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { environment, readResults, writeResults } from '../results.ts';
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
/** Fewer do not reach every step often enough to be worth keeping. */
const recordedRuns = 1000;
const env = environment();
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
const failed = outcomes.filter(({ failures }) => failures.length > 0);
if (failed.length > 0) process.exitCode = 1;
record();

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
  for (const [step, count] of Object.entries(kills())) console.log(`  killed: ${step.padEnd(22)} ${count}`);
}

/** By role and step, each of them. */
function kills(): Record<string, number> {
  const steps = [
    ...writerSteps.map(step => `writer, ${step}`),
    ...prunerSteps.map(step => `pruner, ${step}`),
  ];
  const all = outcomes.flatMap(outcome => outcome.kills);
  return Object.fromEntries(steps.map(step => [step, all.filter(kill => kill === step).length]));
}

/** What a mutant came to stands beside the runs without one. */
function record(): void {
  const seconds = Math.round((performance.now() - startMs) / 1000);
  const { mutant } = values;
  const results = readResults('beside');
  const mutants = (results['mutants'] ?? {}) as Record<string, unknown>;
  const [lost] = failed.flatMap(({ failures }) => failures).filter(what => what.includes('is lost'));
  if (mutant !== undefined) {
    if (lost === undefined) return;
    const found = {
      seed: firstSeed,
      runs: outcomes.length,
      seconds,
      lost: lost.replaceAll(`${scratch}/`, ''),
    };
    console.log(writeResults('beside', { ...results, mutants: { ...mutants, [mutant]: found } }));
  } else if (runs >= recordedRuns)
    console.log(
      writeResults('beside', {
        environment: env,
        seconds,
        seed: firstSeed,
        runs,
        commits: sum(o => o.commits),
        sweeps: sum(o => o.sweeps),
        vetoes: sum(o => o.vetoes),
        runsWithSweepCreatedBesideIntent: sum(o => Number(o.besideIntent)),
        runsWithSweepBesideIntent: sum(o => Number(o.overlapped)),
        runsWrong: failed.length,
        kills: kills(),
        mutants,
      }),
    );
}
