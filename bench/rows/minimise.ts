import type { FuzzEvent, Phase, Round } from './events.ts';

const phases: readonly Phase[] = ['before', 'between', 'after'];

export function eventsOf(rounds: readonly Round[]): FuzzEvent[] {
  return rounds.flatMap(round => phases.flatMap(phase => round.events[phase]));
}

/** What happened from the pin of the backup before the last on to the pin of the last, kinds alone. */
export function kindsSince(rounds: readonly Round[]): string[] {
  const [before, last] = [rounds.at(-2), rounds.at(-1)];
  const events = [
    ...(before?.events.after ?? []),
    ...(last?.events.before ?? []),
    ...(last?.events.between ?? []),
  ];
  return [...new Set(events.map(event => event.kind))];
}

/** Only these events; the backups stay. */
export function keepEvents(rounds: readonly Round[], keep: ReadonlySet<number>): Round[] {
  return rounds.map(round => {
    const of = (phase: Phase): FuzzEvent[] => round.events[phase].filter(event => keep.has(event.id));
    return { ...round, events: { before: of('before'), between: of('between'), after: of('after') } };
  });
}

/**
 * Leaves out events and backups as long as the rest still fails: halves first, then smaller parts, until single ones are
 * needed or the time is over.
 */
export async function minimise(
  rounds: readonly Round[],
  fails: (rounds: readonly Round[]) => Promise<boolean>,
  isOver: () => boolean,
): Promise<Round[]> {
  const backups = await reduce(
    rounds,
    async some => some.includes(rounds.at(-1)!) && (await fails(some)),
    isOver,
  );
  const ids = eventsOf(backups).map(event => event.id);
  const keep = await reduce(ids, async some => fails(keepEvents(backups, new Set(some))), isOver);
  const kept = keepEvents(backups, new Set(keep));
  return reduce(kept, async some => fails(some), isOver);
}

async function reduce<T>(
  items: readonly T[],
  fails: (items: readonly T[]) => Promise<boolean>,
  isOver: () => boolean,
): Promise<T[]> {
  let rest = [...items];
  for (
    let size = Math.ceil(rest.length / 2);
    size >= 1 && !isOver();
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let at = 0; at < rest.length && !isOver(); ) {
      const without = [...rest.slice(0, at), ...rest.slice(at + size)];
      if (await fails(without)) rest = without;
      else at += size;
    }
  }
  return rest;
}

/** `3,5-9,12`. */
export function formatNumbers(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let at = 0; at < numbers.length; ) {
    let end = at;
    while (numbers[end + 1] === numbers[end]! + 1) end += 1;
    parts.push(end === at ? `${numbers[at]}` : `${numbers[at]}-${numbers[end]}`);
    at = end + 1;
  }
  return parts.join(',');
}

export function parseNumbers(text: string): Set<number> {
  const numbers = new Set<number>();
  for (const part of text.split(',').filter(Boolean)) {
    const [from, to = from] = part.split('-').map(Number);
    for (let number = from!; number <= to!; number += 1) numbers.add(number);
  }
  return numbers;
}
