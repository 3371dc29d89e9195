import { rollDice } from '../instance/random.ts';
import { prunerSteps, type Role, type Step, writerSteps } from './steps.ts';

/** What a worker does in one run. */
export interface Part {
  readonly role: 'writer' | 'pruner';
  readonly host: string;
  /** Before it begins. */
  readonly waitMs: number;
  readonly files: string;
  /** Which snapshot of the beginning a writer builds on, or a pruner forgets. */
  readonly snapshot: number | undefined;
  readonly rounds: number;
  /** Before the first call of a step. */
  readonly pauses: Readonly<Partial<Record<Step, number>>>;
  readonly kill: Kill | undefined;
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
  readonly committed: boolean;
  /** The code of what it ended with. */
  readonly code: string | undefined;
  readonly error: string | undefined;
}

export const writers = 3;
export const pruners = 2;
const letters = 'abcdefgh';

/**
 * Three writers and two pruners. Pruners begin early and rest before they decide, writers rest when their intent is there:
 * so the one often sweeps while the other is open.
 */
export function partsOf(seed: number): readonly Part[] {
  const dice = rollDice(seed);
  // As many pruners as writers, which have fewer steps to die in.
  const victim = dice.chance(0.15)
    ? -1
    : dice.chance(0.4)
      ? dice.below(writers)
      : writers + dice.below(pruners);
  const killOf = (role: Role): Kill => {
    // Some twice, since not every run comes to them.
    const steps: readonly Step[] =
      role === 'writer' ? [...writerSteps, 'end'] : [...prunerSteps, 'copies', 'copies', 'merge', 'merge'];
    const [step, calls] = [dice.pick(steps), dice.below(3) + 1];
    return { step, call: dice.chance(0.6) ? 1 : calls, when: dice.chance(0.5) ? 'before' : 'after' };
  };
  const pause = (share: number, ms: number): number => (dice.chance(share) ? dice.below(ms) : 0);
  return Array.from({ length: writers + pruners }, (_, i) => {
    const role = i < writers ? 'writer' : 'pruner';
    const files = [...letters].filter(() => dice.chance(0.5)).join('') || 'a';
    const snapshot = dice.chance(role === 'writer' ? 0.5 : 0.3) ? dice.below(2) : undefined;
    return {
      role,
      host: `host ${i + 1}`,
      waitMs: role === 'writer' ? dice.below(120) : (i - writers) * dice.below(150),
      files,
      snapshot,
      rounds: 1 + dice.below(2),
      pauses:
        role === 'writer'
          ? {
              packs: pause(0.3, 60),
              'second look': pause(0.7, 120),
              commit: pause(0.5, 80),
            }
          : {
              survey: pause(0.3, 40),
              proposal: pause(0.3, 40),
              decision: pause(0.7, 120),
              sweep: pause(0.5, 60),
              deletes: pause(0.4, 60),
            },
      kill: i === victim ? killOf(role) : undefined,
    };
  });
}
