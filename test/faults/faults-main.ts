import { parseArgs } from 'node:util';
import { recordResult } from './results.ts';
import type { Suite, Tally } from './suite.ts';
import { suites } from './suites.ts';

const usage = `npm run faults -- [suite] [--points N | --minutes M] [--seed S]

${suites.map(({ name, about }) => `  ${name.padEnd(8)}${about}`).join('\n')}

Without a suite: all, in turn. --short: a little of each, as the tests do it, and no rows. Default: 5 minutes a suite, seed 1. Rows go into test/faults/RESULTS.md.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    points: { type: 'string' },
    minutes: { type: 'string' },
    seed: { type: 'string', default: '1' },
    short: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const chosen = suites.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const unknown = positionals.filter(name => !suites.some(suite => suite.name === name));
const numbers = [values.points, values.minutes, values.seed].map(value => Number(value ?? 0));
if (values.help || unknown.length > 0 || numbers.some(Number.isNaN)) {
  console.log(usage);
  process.exit(values.help ? 0 : 2);
}

/** A few seconds in all. */
const shortPoints: Readonly<Record<string, number>> = {
  kill: 8,
  errors: 8,
  replay: 24,
  flips: 60,
  clock: 5,
  stop: 6,
};

let hasFailed = false;
for (const suite of chosen) {
  if (values.short && shortPoints[suite.name] === undefined) continue; // it needs a machine of its own
  const minutes = Number(values.minutes ?? (values.points ? 24 * 60 : 5));
  const options = {
    seed: Number(values.seed),
    pointsMax: Number(values.points ?? (values.short ? shortPoints[suite.name] : Number.POSITIVE_INFINITY)),
    isShort: values.short,
    endMs: performance.now() + minutes * 60_000,
  };
  console.log(`${suite.name}: ${suite.about}`);
  for (const tally of await suite.run(options)) hasFailed = tell(suite, tally) || hasFailed;
}
process.exitCode = hasFailed ? 1 : 0;

/** Prints and keeps the figure; whether it is one to fail for. */
function tell(suite: Suite, tally: Tally): boolean {
  const { figure, points, wrong, kinds, seconds, remark, skipped } = tally;
  const { ci = '', release = '' } = suite.figures.find(({ name }) => name === figure) ?? {};
  console.log(`  ${figure}: ${points} points, ${wrong.length} wrong, ${seconds.toFixed(0)} s (${kinds})`);
  if (remark) console.log(`  ${remark}`);
  if (skipped) console.log(`  not all could run: ${skipped}`);
  for (const line of wrong) console.log(`  WRONG ${line}`);
  const what = [kinds, remark, skipped && `not here: ${skipped}`].filter(Boolean).join('; ');
  const more = values.points ? ` --points ${values.points}` : ` --minutes ${values.minutes ?? 5}`;
  const command = `npm run faults -- ${suite.name}${more}`;
  const row = { figure, ci, release, reached: points, wrong: wrong.length, what, command, seconds };
  // What a bug that was put in on purpose comes to is no figure.
  if (values.short || process.env['STILLPOINT_MUTANT'] !== undefined) return wrong.length > 0;
  const isKept = points > 0 && recordResult({ ...row, seed: String(values.seed) });
  if (!isKept) console.log('  RESULTS.md keeps its row: it reached more');
  return wrong.length > 0 || skipped !== undefined;
}
