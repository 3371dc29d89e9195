import { type Dice, rollDice } from '../instance/random.ts';
import { prunerSteps, type Step, writerSteps } from './steps.ts';

/** What a worker does in one run. */
export interface Part {
  readonly role: 'writer' | 'pruner' | 'reader';
  readonly host: string;
  /** Before it begins. */
  readonly waitMs: number;
  readonly files: string;
  /** Of a writer's second backup with the same open store; undefined: it makes one. */
  readonly moreFiles: string | undefined;
  /** Which snapshot of the beginning a writer builds on, a pruner forgets, or a reader reads. */
  readonly snapshot: number | undefined;
  /** A pruner's. */
  readonly rounds: number;
  /** A reader when it has said what it reads, a writer between its backups, a pruner before it forgets. */
  readonly rest: Rest;
  readonly pauses: Readonly<Partial<Record<Step, Pause>>>;
  /** A writer's commit comes to the medium, and its answer does not come back. */
  readonly losesAnswer: boolean;
  readonly kill: Kill | undefined;
}

/** So long, or until something is so: parties meet more often than by chance alone. */
export interface Rest {
  readonly ms: number;
  readonly until?: Awaited | undefined;
}

/** 'done': a generation that was not when the rest began. */
export type Awaited = 'intent' | 'no intent' | 'generation' | 'done' | 'reader';

/** Before the call of that number in a step. */
export interface Pause extends Rest {
  readonly call: number;
}

/** SIGKILL to itself before or after the call of that number in a step. */
export interface Kill {
  readonly step: Step;
  readonly call: number;
  readonly when: 'before' | 'after';
}

export interface Orders {
  readonly seed: number;
  readonly folder: string;
  /** Where happenings are written down, so that they outlive a kill. */
  readonly log: string;
  readonly part: Part;
}

export interface Answer {
  /** Backups of a writer. */
  readonly commits: number;
  /** The code of what it ended with. */
  readonly code: string | undefined;
  readonly error: string | undefined;
}

export const writers = 3;
export const pruners = 2;
const letters = 'abcdefgh';

/**
 * Three writers, two pruners and sometimes a reader. Pruners begin early and rest before they decide, writers rest around
 * their intent: so the one often sweeps while the other is open, and whoever does a thing too early or too late meets somebody
 * who did it meanwhile. Nothing of it depends on which bug is looked for.
 */
export function partsOf(seed: number): readonly Part[] {
  const dice = rollDice(seed);
  // As many pruners as writers, which have fewer steps to die in.
  const victim = dice.chance(0.15)
    ? -1
    : dice.chance(0.4)
      ? dice.below(writers)
      : writers + dice.below(pruners);
  const parts = Array.from({ length: writers + pruners }, (_, i) => {
    const part = i < writers ? writerOf(dice, i) : prunerOf(dice, i);
    return i === victim ? { ...part, kill: killOf(dice, part) } : part;
  });
  if (!dice.chance(0.4)) return parts;
  const reader = readerOf(dice, parts);
  const awaiting = parts.map(part =>
    part.role === 'pruner' && part.snapshot === reader.snapshot
      ? { ...part, rest: { ms: 600, until: 'reader' as const } }
      : part,
  );
  return [...awaiting, reader];
}

function writerOf(dice: Dice, i: number): Part {
  return {
    role: 'writer',
    host: `host ${i + 1}`,
    waitMs: dice.below(120),
    files: filesOf(dice),
    moreFiles: dice.chance(0.3) ? filesOf(dice) : undefined,
    snapshot: dice.chance(0.5) ? dice.below(2) : undefined,
    rounds: 1,
    rest: { ms: dice.below(1500), until: 'done' },
    losesAnswer: dice.chance(0.1),
    pauses: {
      packs: pauseOf(dice, { share: 0.3, msMax: 60 }),
      intent: pauseOf(dice, { share: 0.4, msMax: 150 }),
      'second look': pauseOf(dice, { share: 0.6, msMax: 150, calls: [1, 2] }),
      // Long enough for a whole prune that takes it for dead meanwhile, or into the middle of one.
      commit: dice.chance(0.2)
        ? { call: 1, ms: 1500, until: 'done' }
        : pauseOf(dice, { share: 0.6, msMax: 250, until: 'generation' }),
    },
    kill: undefined,
  };
}

function prunerOf(dice: Dice, i: number): Part {
  return {
    role: 'pruner',
    host: `host ${i + 1}`,
    // Late ones take for dead who is about to commit.
    waitMs: dice.chance(0.3) ? dice.below(600) : (i - writers) * dice.below(150),
    files: '',
    moreFiles: undefined,
    snapshot: dice.chance(0.35) ? dice.below(2) : undefined,
    rounds: 1 + dice.below(2),
    rest: { ms: 0 },
    losesAnswer: false,
    pauses: {
      forget: pauseOf(dice, { share: 0.6, msMax: 150, calls: [1, 2] }),
      survey: pauseOf(dice, { share: 0.3, msMax: 40 }),
      proposal: pauseOf(dice, { share: 0.6, msMax: 150, until: 'intent' }),
      // Around its lists of intents (4) and manifests (5), either of which may come too early.
      decision: dice.chance(0.25)
        ? { call: 5, ms: 250, until: 'no intent' }
        : pauseOf(dice, { share: 0.8, msMax: 200, calls: [1, 1, 4, 5, 6] }),
      sweep: pauseOf(dice, { share: 0.7, msMax: 200, until: 'intent' }),
      deletes: pauseOf(dice, { share: 0.4, msMax: 60 }),
    },
    kill: undefined,
  };
}

/** Mostly of what is being forgotten. */
function readerOf(dice: Dice, others: readonly Part[]): Part {
  const i = others.length;
  const going = others.filter(part => part.role === 'pruner' && part.snapshot !== undefined);
  const snapshot = going.length > 0 && dice.chance(0.8) ? dice.pick(going).snapshot : undefined;
  return {
    role: 'reader',
    host: `host ${i + 1}`,
    waitMs: 60 + dice.below(150), // who prunes has seen who is there
    files: '',
    moreFiles: undefined,
    snapshot: snapshot ?? dice.below(2),
    rounds: 1,
    rest: { ms: 1500, until: 'done' },
    losesAnswer: false,
    pauses: {},
    kill: undefined,
  };
}

function filesOf(dice: Dice): string {
  return [...letters].filter(() => dice.chance(0.5)).join('') || 'a';
}

/** Half of the pauses end when that is so. */
function pauseOf(
  dice: Dice,
  {
    share,
    msMax,
    calls = [1],
    until,
  }: {
    readonly share: number;
    readonly msMax: number;
    readonly calls?: readonly number[];
    readonly until?: Awaited;
  },
): Pause {
  const [call, isMade, ms] = [dice.pick(calls), dice.chance(share), dice.below(msMax)];
  if (!isMade) return { call, ms: 0 };
  return until !== undefined && dice.chance(0.5) ? { call, ms: msMax, until } : { call, ms };
}

function killOf(dice: Dice, { role, snapshot }: Part): Kill {
  // Some several times, since not every run comes to them.
  const steps: readonly Step[] =
    role === 'writer'
      ? [...writerSteps, 'end']
      : [
          ...prunerSteps.filter(step => step !== 'forget'),
          ...(['copies', 'copies', 'merge', 'merge'] as const),
          ...(snapshot === undefined ? [] : (['forget', 'forget', 'forget', 'forget'] as const)),
        ];
  const [step, calls] = [dice.pick(steps), dice.below(3) + 1];
  return { step, call: dice.chance(0.6) ? 1 : calls, when: dice.chance(0.5) ? 'before' : 'after' };
}
