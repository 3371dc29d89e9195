import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { nextSeed, recordResult } from './results.ts';
import type { Suite } from './suite.ts';
import { suites } from './suites.ts';
import { type Counted, toldOf } from './tally.ts';
import { runWorkers } from './workers.ts';

const usage = `npm run faults -- [suite] [--points N] [--minutes M] [--seed S] [--add] [--workers N]

${suites.map(({ name, about }) => `  ${name.padEnd(8)}${about}`).join('\n')}

Without a suite: all, in turn. Default: 5 minutes a suite, or until it has its points; seed 1; a process for each core. Rows go into
test/faults/RESULTS.md; --add: adds to the row that is there, from the seed after its last one. A point is brought back by its seed with
--workers 1. --short: a little of each, in this process, as the tests do it, and no rows.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    points: { type: 'string' },
    minutes: { type: 'string' },
    seed: { type: 'string' },
    workers: { type: 'string', default: String(availableParallelism()) },
    add: { type: 'boolean', default: false },
    short: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const chosen = suites.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const unknown = positionals.filter(name => !suites.some(suite => suite.name === name));
const numbers = [values.points, values.minutes, values.seed, values.workers].map(value => Number(value ?? 0));
if (values.help || unknown.length > 0 || numbers.some(Number.isNaN) || (values.add && values.seed)) {
  console.log(usage);
  process.exit(values.help ? 0 : 2);
}

const workers = Math.max(1, Number(values.workers));
let hasFailed = false;
for (const suite of chosen) {
  if (values.short && suite.figures[0]!.ci === 0) continue; // it needs a machine of its own
  const minutes = Number(values.minutes ?? (values.points ? 24 * 60 : 5));
  const given = values.points ?? (values.short ? suite.figures[0]!.ci : Number.POSITIVE_INFINITY);
  const seed = Number(values.seed ?? (values.add ? nextSeed(suite.figures[0]!.name) : 1));
  const options = { seed, pointsMax: Number(given), endMs: performance.now() + minutes * 60_000 };
  console.log(`${suite.name}: ${suite.about}`);
  const counted = values.short
    ? (await suite.run({ ...options, isShort: true })).map(tally => tally.counted())
    : await runWorkers(suite.name, { ...options, workers, onProgress: progressOf(suite.name) });
  for (const figure of counted) hasFailed = tell(suite, figure, { seed }) || hasFailed;
}
process.exitCode = hasFailed ? 1 : 0;

function progressOf(name: string): (progress: { readonly points: number; readonly wrong: number }) => void {
  const startMs = performance.now();
  let toldMs = startMs;
  return ({ points, wrong }) => {
    const nowMs = performance.now();
    if (nowMs - toldMs < 10_000) return;
    toldMs = nowMs;
    const seconds = (nowMs - startMs) / 1000;
    const rate = (points / seconds).toFixed(1);
    process.stderr.write(
      `${name}: ${points} points in ${seconds.toFixed(0)} s, ${rate} a second, ${wrong} wrong\n`,
    );
  };
}

/** Prints and keeps the figure; whether it is one to fail for. */
function tell(suite: Suite, counted: Counted, { seed }: { readonly seed: number }): boolean {
  const { figure, points, wrong, seconds, skipped, lastSeed } = counted;
  const { ci, release } = suite.figures.find(({ name }) => name === figure)!;
  const what = toldOf(counted);
  console.log(`  ${figure}: ${points} points, ${wrong.length} wrong, ${seconds.toFixed(0)} s (${what})`);
  for (const line of wrong) console.log(`  WRONG ${line}`);
  // What a bug that was put in on purpose comes to is no figure.
  if (values.short || process.env['STILLPOINT_MUTANT'] !== undefined) return wrong.length > 0;
  const limits = [
    values.points && `--points ${values.points}`,
    values.minutes && `--minutes ${values.minutes}`,
  ];
  const limit = limits.filter(Boolean).join(' ') || '--minutes 5';
  const row = {
    figure,
    ci: ci.toLocaleString('en-US'),
    release,
    reached: points,
    wrong: wrong.length,
    what,
    command: `npm run faults -- ${suite.name} ${limit}${seed === 1 ? '' : ` --seed ${seed}`}`,
    seed: `${seed}–${Math.max(seed, lastSeed)}`,
    seconds,
  };
  if (points === 0 || !recordResult(row, { adds: values.add }))
    console.log('  RESULTS.md keeps its row: it reached more');
  return wrong.length > 0 || skipped !== undefined;
}
