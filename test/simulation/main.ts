// npm run simulate [-- --schedules 20000 --seed 1 --mutant 'no veto']: the real store's code in random orders of calls.
import { parseArgs } from 'node:util';
import { play, type Tally } from './play.ts';

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    mutant: { type: 'string' },
  },
});
const startMs = performance.now();
const orders = { firstSeed: Number(values.seed), schedules: Number(values.schedules), mutant: values.mutant };
const tally = await play(orders, tell);
tell(tally);
for (const [what, count] of Object.entries(tally.kills).sort())
  console.log(`  killed: ${what.padEnd(24)} ${count}`);
for (const failure of [...tally.losses, ...tally.others]) console.log(failure);
if (tally.losses.length + tally.others.length > 0) process.exitCode = 1;

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
  const seconds = (performance.now() - startMs) / 1000;
  console.log(
    `${schedules} schedules of 3 writers, 2 pruners, a reader and a forgetter, seeds from ${values.seed}: ` +
      `${commits} commits, ${sweeps} sweeps, ${vetoes} vetoes, ${roundsAfterVeto} rounds after one; ${livingCommits} of ${living} backups that nothing befell committed; a sweep beside an open intent in ${overlapped}, ` +
      `created beside it in ${sweptBesideIntent}; ${Object.values(rest.kills).reduce((a, b) => a + b, 0)} kills, ` +
      `${faults} failed calls, ${sleeps} sleeps; ${rest.losses.length} lost a snapshot, ${rest.others.length} went wrong otherwise; ` +
      `${(schedules / seconds).toFixed(0)} a second`,
  );
}
