// npm run bench:beside [-- --runs 1000 --seed 1 --lanes 3]: three backups and two prunes as processes on one store, killed
// anywhere. A thousand runs write bench/results/beside.json and a row of test/faults/RESULTS.md.
// With --mutant NAME they have that bug, with --mutants each of the protocol's in turn, each until the first run that goes
// wrong, or for --minutes; the end is 1 where one is not caught.
import { parseArgs } from 'node:util';
import { playRuns } from '../../bench/beside/play.ts';
import type { Outcome } from '../../bench/beside/run.ts';
import { type Tally, tallyOf, tallyText } from '../../bench/beside/tally.ts';
import { environment, readResults, writeResults } from '../../bench/results.ts';
import { recordResult } from '../faults/results.ts';
import { type Catch, catchMutant, mutantsOfRuns } from './mutants.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    lanes: { type: 'string', default: '3' },
    minutes: { type: 'string', default: '30' },
    mutant: { type: 'string', multiple: true },
    mutants: { type: 'boolean', default: false },
  },
});
const runs = Number(values.runs);
const firstSeed = Number(values.seed);
const lanes = Number(values.lanes);
/** Fewer do not reach every step often enough to be worth keeping. */
const recordedRuns = 1000;
const env = environment();
const startMs = performance.now();
const isWell = values.mutants || values.mutant !== undefined ? await playMutants() : await playProgram();
if (!isWell) process.exitCode = 1;

function seconds(): number {
  return Math.round((performance.now() - startMs) / 1000);
}

async function playProgram(): Promise<boolean> {
  const onOutcome = ({ failures }: Outcome, all: readonly Outcome[]): void => {
    for (const failure of failures) console.log(failure);
    if (all.length % 100 === 0 && all.length < runs) tell(all);
  };
  const outcomes = await playRuns({ firstSeed, runs, lanes, onOutcome });
  const tally = tell(outcomes);
  for (const [step, count] of Object.entries(tally.kills))
    console.log(`  killed: ${step.padEnd(22)} ${count}`);
  if (runs >= recordedRuns) record(tally);
  return tally.runsWrong === 0;
}

function tell(outcomes: readonly Outcome[]): Tally {
  const tally = tallyOf(outcomes);
  console.log(`${tallyText(tally, outcomes.length)}; ${seconds()} s`);
  return tally;
}

function record(tally: Tally): void {
  const { mutants = {} } = readResults('beside');
  const all = { environment: env, seconds: seconds(), seed: firstSeed, runs, ...tally, mutants };
  console.log(writeResults('beside', all));
  const kills = Object.values(tally.kills);
  const count = (value: number) => value.toLocaleString('en-US');
  recordResult({
    figure: 'three backups and two prunes as processes on one folder, killed anywhere',
    ci: '2',
    release: '1,000',
    reached: runs,
    wrong: tally.runsWrong,
    what:
      `${count(tally.commits)} commits, ${count(tally.sweeps)} sweeps, ${count(tally.vetoes)} vetoes, ` +
      `${count(kills.reduce((total, kill) => total + kill, 0))} kills, at least ${Math.min(...kills)} in each step; ` +
      `in ${tally.runsWithSweepCreatedBesideIntent} runs a sweep created beside an open intent`,
    command: `npm run bench:beside -- --runs ${runs}`,
    seed: String(firstSeed),
    seconds: seconds(),
  });
}

async function playMutants(): Promise<boolean> {
  const wanted = mutantsOfRuns().filter(({ name }) => values.mutants || values.mutant!.includes(name));
  const unknown = values.mutant?.find(name => !wanted.some(mutant => mutant.name === name));
  if (unknown !== undefined) throw new Error(`Cannot play mutant ${unknown}: no run can show it`);
  const secondsMax = Number(values.minutes) * 60;
  const caught: Catch[] = [];
  for (const mutant of wanted) {
    const found = await catchMutant(mutant, { firstSeed, runs, lanes, secondsMax });
    caught.push(found);
    const at = found.run === undefined ? `none of ${found.runs}` : `run ${found.run}`;
    const verdict = found.run === undefined ? 'BAD' : 'ok ';
    console.log(
      `${verdict} ${found.mutant.padEnd(40)} ${at.padEnd(12)} ${String(found.seconds).padStart(5)} s  ${found.what.slice(0, 200)}`,
    );
  }
  const missed = caught.filter(({ run }) => run === undefined);
  console.log(`${caught.length - missed.length} of ${caught.length} mutants caught, ${seconds()} s`);
  if (values.mutants && runs >= recordedRuns) recordMutants(caught, missed.length);
  return missed.length === 0;
}

function recordMutants(caught: readonly Catch[], missed: number): void {
  const mutants = Object.fromEntries(caught.map(({ mutant, ...found }) => [mutant, found]));
  console.log(writeResults('beside', { ...readResults('beside'), mutants }));
  const latest = Math.max(...caught.map(({ run }) => run ?? 0));
  recordResult({
    figure: 'bugs put into the protocol of backup and prune that such runs must show: not caught',
    ci: '0',
    release: 'all',
    reached: caught.length,
    wrong: missed,
    what: `the latest in run ${latest}; ${caught.filter(({ run }) => run !== undefined && run <= 10).length} within 10 runs`,
    command: 'npm run bench:beside -- --mutants',
    seed: String(firstSeed),
    seconds: seconds(),
  });
}
