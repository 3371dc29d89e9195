/** Choices that a seed decides. */
export interface Dice {
  /** 0 … count - 1. */
  below(count: number): number;
  /** True once in so many times. */
  oneIn(count: number): boolean;
  pick<T>(list: readonly T[]): T;
  /** Each with a chance of one half. */
  some<T>(list: readonly T[]): T[];
}

/** Mulberry32: small, and the same everywhere. */
export function diceFrom(seed: number): Dice {
  let state = Math.imul(seed, 0x9e37_79b1) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  const dice: Dice = {
    below: count => next() % count,
    oneIn: count => next() % count === 0,
    pick: list => list[next() % list.length]!,
    some: list => list.filter(() => next() % 2 === 0),
  };
  return dice;
}

const stems = [
  ...[
    'item',
    'User',
    'select',
    'order',
    'table',
    'begin',
    'end',
    'case',
    'group',
    'user',
    'column',
    'default',
    'all',
  ],
  ...[
    'a b',
    ' lead',
    'trail ',
    "it's",
    'say "hi"',
    'a.b',
    'a;b',
    '--x',
    '/*c',
    'back\\slash',
    '%s %I',
    '$1',
    '$x$',
    '1st',
    '',
  ],
  ...[
    'ünïcode',
    '日本語',
    'Ωmega',
    'emoji 🐘',
    'e\u0301',
    'UPPER',
    'tab\there',
    'new\nline',
    '{a,b}',
    '(x)',
    'null',
    'true',
  ],
  ...['a_rather_long_name_that_comes_near_to_the_limit_of_63', 'public', 'pg_like', 'x:y', '@at', '#', '€'],
];

/** Quoted names, no two alike. */
export function namesFrom(dice: Dice): () => string {
  let number = 0;
  return () => {
    number += 1;
    const stem = dice.oneIn(3) ? 'plain_' : dice.pick(stems);
    return quote(dice.oneIn(2) ? `${stem}${number}` : `${number}${stem}`);
  };
}

export const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;
export const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;
