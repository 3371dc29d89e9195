import { engineError } from '../../engine/index.ts';

/** Something in a configuration that cannot be used. */
export interface Mistake {
  /** Where in the text. */
  readonly offset: number;
  /** The whole key, as in `home.exclude`; empty where no key is at fault. */
  readonly key: string;
  readonly problem: string;
  readonly remedy: string;
}

/** More of them are counted, not told. */
const toldMax = 10;

/**
 * One error for all of them, in the order of their lines: the first one in the message, the others below the remedy.
 * `context.mistakes` has all that are told, for scripts.
 */
export function mistakesError(
  file: string,
  {
    mistakes,
    lineOf,
  }: { readonly mistakes: readonly Mistake[]; readonly lineOf: (offset: number) => number },
): Error {
  const sorted = [...mistakes].sort((a, b) => a.offset - b.offset);
  const told = sorted
    .slice(0, toldMax)
    .map(({ offset, ...mistake }) => ({ file, line: lineOf(offset), ...mistake }));
  const [first, ...others] = told;
  const more = sorted.length - 1;
  const left = sorted.length - told.length;
  return engineError(
    'CONFIG_INVALID',
    `Cannot use configuration ${file}:${first?.line}: ${first?.problem}${more > 0 ? ` (and ${counted(more)})` : ''}`,
    {
      remedy: [
        first?.remedy,
        ...others.map(({ line, problem, remedy }) => `${file}:${line}: ${problem}. ${remedy}`),
        ...(left > 0 ? [`And ${counted(left)}.`] : []),
      ].join('\n  '),
      context: { mistakes: told },
    },
  );
}

function counted(more: number): string {
  return more === 1 ? 'one more mistake' : `${more} more mistakes`;
}

/** As a person writes it: `hooks.restore[0].run`. */
export function keyName(path: readonly PropertyKey[]): string {
  return path
    .map(part => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}
