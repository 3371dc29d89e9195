import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend } from '../../store/index.ts';
import type { Awaited, Rest } from './orders.ts';

const lookEveryMs = 8;

/** `isReading`: whether a reader's session is there. */
export async function rest(
  { ms, until }: Rest,
  { medium, isReading }: { readonly medium: Backend; readonly isReading: () => Promise<boolean> },
): Promise<void> {
  if (until === undefined) return void (await sleep(ms));
  const endMs = performance.now() + ms;
  const before = await donesOf(medium);
  const isSo = async (what: Awaited): Promise<boolean> => {
    switch (what) {
      case 'intent':
        return (await namesOf(medium, 'intents/')).length > 0;
      case 'no intent':
        return (await namesOf(medium, 'intents/')).length === 0;
      case 'generation':
        return (
          (await namesOf(medium, 'gc/')).filter(name => /\d$/.test(name)).length > (await donesOf(medium))
        );
      case 'done':
        return (await donesOf(medium)) > before;
      case 'reader':
        return isReading();
      default:
        return what satisfies never;
    }
  };
  while (performance.now() < endMs && !(await isSo(until))) await sleep(lookEveryMs);
}

async function donesOf(medium: Backend): Promise<number> {
  return (await namesOf(medium, 'gc/')).filter(name => name.endsWith('.done')).length;
}

async function namesOf(medium: Backend, prefix: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of medium.list(prefix)) names.push(name);
  return names;
}
