import type { Tally } from './play.ts';
import type { Played } from './story.ts';

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

/** One more schedule. Troubles count where they came to pass. */
export function addTo(tally: Tally, played: Played, seed: number): Tally {
  const { failure, parties } = played;
  const kills: Record<string, number> = { ...tally.kills };
  let { faults, sleeps } = tally;
  for (const { role, isDead, step, troubles, calls } of parties) {
    const key = `${role}, ${step}`;
    if (isDead) kills[key] = (kills[key] ?? 0) + 1;
    faults += troubles.filter(({ kind, at }) => kind === 'fails' && at <= calls).length;
    sleeps += troubles.filter(({ kind, at }) => kind === 'sleeps' && at <= calls).length;
  }
  const told = failure && `seed ${seed}: ${failure.what}`;
  return {
    schedules: tally.schedules + 1,
    commits: tally.commits + played.commits,
    sweeps: tally.sweeps + played.sweeps,
    vetoes: tally.vetoes + played.vetoes,
    roundsAfterVeto: tally.roundsAfterVeto + played.roundsAfterVeto,
    living: tally.living + played.living,
    livingCommits: tally.livingCommits + played.livingCommits,
    overlapped: tally.overlapped + (played.overlapped ? 1 : 0),
    sweptBesideIntent: tally.sweptBesideIntent + (played.sweptBesideIntent ? 1 : 0),
    kills,
    faults,
    sleeps,
    losses: told && failure.isLoss ? [...tally.losses, told] : tally.losses,
    others: told && !failure.isLoss ? [...tally.others, told] : tally.others,
  };
}
