import type { z } from 'zod';
import { type Kind, kindOf } from './shape.ts';

export const aDuration = 'a duration from a second to 24 days, like 90s, 5m or 26h';

const ofKinds: Record<Kind, string> = {
  path: 'a path',
  place: 'a path',
  command: 'a command',
  secret: 'a text',
  duration: aDuration,
  count: 'a whole number, 0 or more',
};

const ofTypes: Partial<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list, like [a, b]',
  object: 'keys with values, indented below it',
};

/** What a schema takes, in words, where its type or kind says it all. */
export function nounOf(these: readonly z.core.$ZodType[], type: string | undefined): string {
  const kind = kindOf(these);
  if (kind === 'command' && these.length > 1) return 'a command, as a text or as { run, timeout, name }';
  if (kind) return ofKinds[kind];
  return ofTypes[type ?? ''] ?? 'something else';
}

/** `a, b or c` */
export function listed(values: readonly string[]): string {
  return values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}
