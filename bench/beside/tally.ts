import type { Outcome } from './run.ts';
import { prunerSteps, writerSteps } from './steps.ts';

/** What runs came to together. */
export interface Tally {
  readonly commits: number;
  readonly sweeps: number;
  readonly vetoes: number;
  readonly runsWithSweepCreatedBesideIntent: number;
  readonly runsWithSweepBesideIntent: number;
  readonly runsWrong: number;
  /** By role and step, each of them. */
  readonly kills: Readonly<Record<string, number>>;
}

export function tallyOf(outcomes: readonly Outcome[]): Tally {
  const sum = (of: (outcome: Outcome) => number): number =>
    outcomes.reduce((total, outcome) => total + of(outcome), 0);
  const steps = [
    ...writerSteps.map(step => `writer, ${step}`),
    ...prunerSteps.map(step => `pruner, ${step}`),
  ];
  const kills = outcomes.flatMap(outcome => outcome.kills);
  return {
    commits: sum(o => o.commits),
    sweeps: sum(o => o.sweeps),
    vetoes: sum(o => o.vetoes),
    runsWithSweepCreatedBesideIntent: sum(o => Number(o.besideIntent)),
    runsWithSweepBesideIntent: sum(o => Number(o.overlapped)),
    runsWrong: sum(o => Number(o.failures.length > 0)),
    kills: Object.fromEntries(steps.map(step => [step, kills.filter(kill => kill === step).length])),
  };
}

export function tallyText(tally: Tally, runs: number): string {
  const kills = Object.values(tally.kills).reduce((total, count) => total + count, 0);
  return (
    `${runs} runs of 3 backups and 2 prunes as processes on one folder: ${tally.commits} commits, ` +
    `${tally.sweeps} sweeps, ${tally.vetoes} vetoes, ${kills} kills; in ` +
    `${tally.runsWithSweepBesideIntent} runs a sweep beside an open intent, in ` +
    `${tally.runsWithSweepCreatedBesideIntent} created beside it; ${tally.runsWrong} runs lost a snapshot or went wrong`
  );
}
