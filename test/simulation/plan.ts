import fc from 'fast-check';
import type { Trouble } from './stage.ts';

/** One schedule: who takes part, what befalls them, and the seed of the order of their calls. Shrinks. */
export interface Schedule {
  readonly order: number;
  /** So long pruners wait for a sign of life. */
  readonly silenceMs: number;
  readonly writers: readonly WriterPart[];
  readonly pruners: readonly PrunerPart[];
  readonly readers: readonly ReaderPart[];
  readonly forgetters: readonly ReaderPart[];
}

export interface WriterPart {
  readonly files: string;
  /** Which of the snapshots of the beginning it builds on. */
  readonly parent: number | undefined;
  readonly troubles: readonly Trouble[];
}

export interface PrunerPart {
  readonly rounds: number;
  /** After so many looks at the time it is over; null: never. */
  readonly looksMax: number | null;
  readonly troubles: readonly Trouble[];
}

export interface ReaderPart {
  readonly snapshot: number;
  readonly troubles: readonly Trouble[];
}

export const names = 'abcdefgh';

function troubles(calls: number): fc.Arbitrary<readonly Trouble[]> {
  const at = fc.integer({ min: 1, max: calls });
  const trouble = fc.oneof(
    fc.record({ kind: fc.constant('dies' as const), at }),
    fc.record({ kind: fc.constant('sleeps' as const), at, turns: fc.integer({ min: 20, max: 400 }) }),
    fc.record({
      kind: fc.constant('fails' as const),
      at,
      when: fc.constantFrom('before' as const, 'after' as const),
    }),
  );
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 2, arbitrary: fc.tuple(trouble) },
    { weight: 1, arbitrary: fc.tuple(trouble, trouble) },
  );
}

const files = fc.subarray([...names], { minLength: 1 }).map(chosen => chosen.join(''));
/** Some begin when others are in the middle: else a prune that begins ends most of them. */
function late(troubles: fc.Arbitrary<readonly Trouble[]>): fc.Arbitrary<readonly Trouble[]> {
  const begins = fc.record({
    kind: fc.constant('sleeps' as const),
    at: fc.constant(1),
    turns: fc.integer({ min: 1, max: 160 }),
  });
  return fc.tuple(fc.option(begins), troubles).map(([first, rest]) => (first ? [first, ...rest] : rest));
}

const writer: fc.Arbitrary<WriterPart> = fc.record({
  files,
  parent: fc.option(fc.nat(1), { nil: undefined }),
  troubles: late(troubles(36)),
});
const pruner: fc.Arbitrary<PrunerPart> = fc.record({
  rounds: fc.integer({ min: 1, max: 2 }),
  looksMax: fc.option(fc.nat(12), { freq: 3 }),
  troubles: troubles(90),
});
const forgetter: fc.Arbitrary<ReaderPart> = fc.record({ snapshot: fc.nat(1), troubles: troubles(10) });
/** Mostly one that takes long, so that there is time to forget and prune what it reads. */
const reader: fc.Arbitrary<ReaderPart> = fc.record({
  snapshot: fc.nat(1),
  troubles: fc.oneof(
    troubles(30),
    fc.tuple(
      fc.record({
        kind: fc.constant('sleeps' as const),
        at: fc.integer({ min: 6, max: 9 }),
        turns: fc.integer({ min: 100, max: 900 }),
      }),
    ),
  ),
});

export const schedule: fc.Arbitrary<Schedule> = fc.record({
  order: fc.nat(),
  // In some whoever is silent for a moment counts as dead, in the others whoever lives has time to show it.
  silenceMs: fc.constantFrom(0, 20_000),
  writers: fc.array(writer, { minLength: 3, maxLength: 3 }),
  pruners: fc.array(pruner, { minLength: 2, maxLength: 2 }),
  readers: fc.array(reader, { minLength: 1, maxLength: 1 }),
  forgetters: fc.array(forgetter, { minLength: 1, maxLength: 1 }),
});

/** The schedule of a seed: the same whenever and wherever it is asked for. */
export function scheduleOf(seed: number): Schedule {
  return fc.sample(schedule, { seed, numRuns: 1, unbiased: true } as fc.Parameters<Schedule>)[0]!;
}
