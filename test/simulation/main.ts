// npm run simulate [-- --schedules 20000 --seed 1 --mutant 'no veto']: the real store's code in random orders of calls.
import { parseArgs } from 'node:util';
import { recordResult } from '../faults/results.ts';
import { play, type Tally } from './play.ts';

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    mutant: { type: 'string' },
  },
});
/** Fewer are no figure. */
const recordedSchedules = 5000;
/** Failures are told as soon as they are known. */
const told = new Set<string>();
const startMs = performance.now();
const orders = { firstSeed: Number(values.seed), schedules: Number(values.schedules), mutant: values.mutant };
const tally = await play(orders, tell);
tell(tally);
for (const [what, count] of Object.entries(tally.kills).sort())
  console.log(`  killed: ${what.padEnd(24)} ${count}`);
const wrong = tally.losses.length + tally.others.length;
if (wrong > 0) process.exitCode = 1;
if (values.mutant === undefined && tally.schedules >= recordedSchedules)
  recordResult({
    figure:
      'schedules of three backups, two prunes, a reader and a forgetter, call by call, with kills, sleeps and lost answers',
    ci: '100',
    release: '20,000',
    reached: tally.schedules,
    wrong,
    what: `${tally.commits} commits, ${tally.sweeps} sweeps, ${tally.vetoes} vetoes; a sweep created beside an open intent in ${tally.sweptBesideIntent}`,
    command: `npm run simulate -- --schedules ${tally.schedules}`,
    seed: values.seed,
    seconds: Math.round((performance.now() - startMs) / 1000),
  });

function tell({
  schedules,
  commits,
  sweeps,
  vetoes,
  roundsAfterVeto,
  living,
  livingCommits,
  overlapped,
  sweptBesideIntent,
  faults,
  sleeps,
  ...rest
}: Tally): void {
  for (const failure of [...rest.losses, ...rest.others]) if (!told.has(failure)) console.log(failure);
  for (const failure of [...rest.losses, ...rest.others]) told.add(failure);
  const seconds = (performance.now() - startMs) / 1000;
  console.log(
    `${schedules} schedules of 3 writers, 2 pruners, a reader and a forgetter, seeds from ${values.seed}: ` +
      `${commits} commits, ${sweeps} sweeps, ${vetoes} vetoes, ${roundsAfterVeto} rounds after one; ${livingCommits} of ${living} backups that nothing befell committed; a sweep beside an open intent in ${overlapped}, ` +
      `created beside it in ${sweptBesideIntent}; ${Object.values(rest.kills).reduce((a, b) => a + b, 0)} kills, ` +
      `${faults} failed calls, ${sleeps} sleeps; ${rest.losses.length} lost a snapshot, ${rest.others.length} went wrong otherwise; ` +
      `${(schedules / seconds).toFixed(0)} a second`,
  );
}
