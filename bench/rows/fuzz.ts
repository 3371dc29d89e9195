import type { PostgresServer } from '../servers/index.ts';
import type { BackupOutcome, Variant } from './chain.ts';
import { roundsOf, runEpisode } from './episode.ts';
import type { EventKind, Round } from './events.ts';
import type { Outcome } from './world.ts';

/** Backups of one fresh database; the first is a full one. */
export const roundsPerEpisode = 26;

export interface FuzzOptions {
  readonly server: PostgresServer;
  readonly seed: number;
  /** Incremental backups to make, at least. */
  readonly runs: number;
  readonly variant: Variant;
  /** Ends with the first wrong one, of either variant. */
  readonly untilWrong?: boolean;
  /** Ends it before there were so many. */
  readonly isOver?: () => boolean;
  readonly onWrong?: (wrong: WrongBackup) => void;
  readonly onEpisode?: (totals: FuzzTotals) => void;
}

export interface WrongBackup {
  readonly episode: number;
  /** Up to the wrong one. */
  readonly rounds: readonly Round[];
  readonly what: readonly string[];
}

export interface FuzzTotals {
  readonly backups: Record<BackupOutcome['kind'], number>;
  /** Of the incremental ones. */
  readonly segments: { all: number; read: number; withDeltas: number; deltasMax: number };
  readonly events: Map<EventKind, Record<Outcome, number>>;
  readonly wrong: WrongBackup[];
}

/** Episode after episode until there were as many incrementals; in the honest variant an episode ends where one is wrong. */
export async function fuzzRows(options: FuzzOptions): Promise<FuzzTotals> {
  const totals: FuzzTotals = {
    backups: { full: 0, incremental: 0, abandoned: 0, refused: 0 },
    segments: { all: 0, read: 0, withDeltas: 0, deltasMax: 0 },
    events: new Map(),
    wrong: [],
  };
  const isOver = (): boolean =>
    options.isOver?.() === true ||
    totals.backups.incremental >= options.runs ||
    (options.untilWrong === true && totals.wrong.length > 0);
  for (let episode = 0; !isOver(); episode += 1) {
    const count = Math.min(roundsPerEpisode, options.runs - totals.backups.incremental + 1);
    const rounds = roundsOf(options.seed, episode, count);
    await runEpisode({
      ...options,
      number: episode,
      rounds,
      stopAtWrong: options.untilWrong ?? options.variant === 'xmin',
      onEvent: ({ kind }, outcome) => {
        const counts = totals.events.get(kind) ?? { done: 0, refused: 0, 'nothing to do': 0 };
        counts[outcome] += 1;
        totals.events.set(kind, counts);
      },
      onBackup: (round, outcome) => {
        countBackup(totals, outcome);
        if (!outcome.wrong?.length) return;
        const wrong = { episode, rounds: rounds.slice(0, rounds.indexOf(round) + 1), what: outcome.wrong };
        totals.wrong.push(wrong);
        options.onWrong?.(wrong);
      },
    });
    options.onEpisode?.(totals);
  }
  return totals;
}

function countBackup(totals: FuzzTotals, outcome: BackupOutcome): void {
  totals.backups[outcome.kind] += 1;
  if (outcome.kind !== 'incremental') return;
  const { segments } = totals;
  segments.all += outcome.segments;
  segments.read += outcome.changedSegments;
  segments.withDeltas += outcome.withDeltas;
  segments.deltasMax = Math.max(segments.deltasMax, outcome.deltasMax);
}
