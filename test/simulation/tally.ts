import type { Played } from './story.ts';

/** What schedules came to. */
export interface Tally {
  readonly schedules: number;
  readonly commits: number;
  /** That took something. */
  readonly sweeps: number;
  readonly vetoes: number;
  /** Generations of a pruner whose last one was vetoed. */
  readonly roundsAfterVeto: number;
  /** Backups that nothing befell and nobody took for dead, and those of them that committed. */
  readonly living: number;
  readonly livingCommits: number;
  /** Schedules in which a sweep that took something, not done yet, and an intent of a living run were there at one time. */
  readonly overlapped: number;
  /** Those of them in which the sweep was created while the intent was there. */
  readonly sweptBesideIntent: number;
  /** By role and step. */
  readonly kills: Readonly<Record<string, number>>;
  readonly faults: number;
  readonly sleeps: number;
  /** Seeds and what was lost. */
  readonly losses: readonly string[];
  /** Seeds and what went wrong otherwise. */
  readonly others: readonly string[];
}

export function emptyTally(): Tally {
  return {
    schedules: 0,
    commits: 0,
    sweeps: 0,
    vetoes: 0,
    roundsAfterVeto: 0,
    living: 0,
    livingCommits: 0,
    overlapped: 0,
    sweptBesideIntent: 0,
    kills: {},
    faults: 0,
    sleeps: 0,
    losses: [],
    others: [],
  };
}

/** One more schedule. */
export function addTo(tally: Tally, played: Played, seed: number): Tally {
  return joined(tally, tallyOf(played, seed));
}

/** Troubles count where they came to pass. */
function tallyOf(played: Played, seed: number): Tally {
  const { failure, parties, overlapped, sweptBesideIntent } = played;
  const { commits, sweeps, vetoes, roundsAfterVeto, living, livingCommits } = played;
  const kills: Record<string, number> = {};
  let faults = 0;
  let sleeps = 0;
  for (const { role, isDead, step, troubles, calls } of parties) {
    const key = `${role}, ${step}`;
    if (isDead) kills[key] = (kills[key] ?? 0) + 1;
    faults += troubles.filter(({ kind, at }) => kind === 'fails' && at <= calls).length;
    sleeps += troubles.filter(({ kind, at }) => kind === 'sleeps' && at <= calls).length;
  }
  const told = failure ? [`seed ${seed}: ${failure.what}`] : [];
  return {
    commits,
    sweeps,
    vetoes,
    roundsAfterVeto,
    living,
    livingCommits,
    schedules: 1,
    overlapped: overlapped ? 1 : 0,
    sweptBesideIntent: sweptBesideIntent ? 1 : 0,
    kills,
    faults,
    sleeps,
    losses: failure?.isLoss ? told : [],
    others: failure?.isLoss ? [] : told,
  };
}

/** What two such tallies come to. */
export function joined(a: Tally, b: Tally): Tally {
  const kills: Record<string, number> = { ...a.kills };
  for (const [what, count] of Object.entries(b.kills)) kills[what] = (kills[what] ?? 0) + count;
  return {
    schedules: a.schedules + b.schedules,
    commits: a.commits + b.commits,
    sweeps: a.sweeps + b.sweeps,
    vetoes: a.vetoes + b.vetoes,
    roundsAfterVeto: a.roundsAfterVeto + b.roundsAfterVeto,
    living: a.living + b.living,
    livingCommits: a.livingCommits + b.livingCommits,
    overlapped: a.overlapped + b.overlapped,
    sweptBesideIntent: a.sweptBesideIntent + b.sweptBesideIntent,
    kills,
    faults: a.faults + b.faults,
    sleeps: a.sleeps + b.sleeps,
    losses: [...a.losses, ...b.losses],
    others: [...a.others, ...b.others],
  };
}
