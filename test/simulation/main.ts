// npm run simulate [-- --schedules 20000 --seed 1 --tally FILE --threads 2 --mutant 'no veto']: the real store's code in
// random orders of calls. With --tally what was played is kept: the same command goes on, and others add to it.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { recordResult } from '../faults/results.ts';
import { KeptPieces } from './pieces.ts';
import { play } from './play.ts';
import { emptyTally, joined, type Tally } from './tally.ts';

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    tally: { type: 'string' },
    threads: { type: 'string', default: String(availableParallelism()) },
    mutant: { type: 'string' },
  },
});
const { mutant } = values;
const [schedules, firstSeed, threads] = [values.schedules, values.seed, values.threads].map(atLeastOne) as [
  number,
  number,
  number,
];
if (mutant !== undefined && values.tally !== undefined)
  throw new TypeError('Cannot keep what a mutant came to: leave out --tally');
/** Fewer are no figure. */
const recordedSchedules = 5000;
const toldEverySchedules = 500;

const kept = new KeptPieces(values.tally);
const before = kept.all.length;
if (before > 0) console.log(`${values.tally} has seeds ${kept.seeds} of the same code`);
const startMs = performance.now();
let lastMs = startMs;
let played = 0;
let toTell = toldEverySchedules;
await play({ firstSeed, schedules, threads, mutant, isDone: piece => kept.has(piece) }, message => {
  const nowMs = performance.now();
  kept.add(message, Math.round(nowMs - lastMs));
  lastMs = nowMs;
  const { tally } = message;
  for (const failure of [...tally.losses, ...tally.others]) console.log(failure);
  played += tally.schedules;
  if (played < toTell) return;
  toTell += toldEverySchedules;
  tell(total());
});
const tally = total();
if (before > 0) for (const failure of [...tally.losses, ...tally.others]) console.log(failure);
tell(tally);
for (const [what, count] of Object.entries(tally.kills).sort())
  console.log(`  killed: ${what.padEnd(24)} ${count}`);
const wrong = tally.losses.length + tally.others.length;
if (wrong > 0) process.exitCode = 1;
if (mutant === undefined && tally.schedules >= recordedSchedules) record();

function atLeastOne(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new TypeError(`Cannot play: ${text} is no whole number from 1 on`);
}

function total(): Tally {
  return kept.all.reduce((all, { tally }) => joined(all, tally), emptyTally());
}

function record(): void {
  const keeping = values.tally === undefined ? '' : ' --tally FILE';
  recordResult({
    figure:
      'schedules of three backups, two prunes, a reader and a forgetter, call by call, with kills, sleeps and lost answers',
    ci: '100',
    release: '200,000',
    reached: tally.schedules,
    wrong,
    what:
      `${count(tally.commits)} commits, ${count(tally.sweeps)} sweeps, ${count(tally.vetoes)} vetoes, ` +
      `${count(tally.roundsAfterVeto)} rounds after one, ${count(killsOf(tally))} kills; ` +
      `a sweep created beside an open intent in ${count(tally.sweptBesideIntent)}`,
    command: `npm run simulate -- --schedules ${schedules}${firstSeed === 1 ? '' : ` --seed ${firstSeed}`}${keeping}`,
    seed: kept.seeds,
    seconds: Math.round(kept.all.reduce((sum, { tookMs }) => sum + tookMs, 0) / 1000),
  });
}

function tell(sum: Tally): void {
  const { losses, others } = sum;
  const seconds = (performance.now() - startMs) / 1000;
  console.log(
    `${sum.schedules} schedules of 3 writers, 2 pruners, a reader and a forgetter, seeds ${kept.seeds}: ` +
      `${sum.commits} commits, ${sum.sweeps} sweeps, ${sum.vetoes} vetoes, ${sum.roundsAfterVeto} rounds after one; ` +
      `${sum.livingCommits} of ${sum.living} backups that nothing befell committed; ` +
      `a sweep beside an open intent in ${sum.overlapped}, created beside it in ${sum.sweptBesideIntent}; ` +
      `${killsOf(sum)} kills, ${sum.faults} failed calls, ${sum.sleeps} sleeps; ` +
      `${losses.length} lost a snapshot, ${others.length} went wrong otherwise; ${(played / seconds).toFixed(0)} a second`,
  );
}

function killsOf({ kills }: Tally): number {
  return Object.values(kills).reduce((a, b) => a + b, 0);
}

function count(number: number): string {
  return number.toLocaleString('en-US');
}
