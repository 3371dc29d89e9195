import type { CommandDescription } from '../describe.ts';
import { keeping } from './keeping.ts';
import { looking } from './looking.ts';
import { restoring } from './restoring.ts';
import { settingUp } from './setting-up.ts';
import { sharing } from './sharing.ts';
import { taking } from './taking.ts';

/** By its name or its alias. */
export function commandNamed(word: string): CommandDescription | undefined {
  return commands.find(({ name, alias }) => word === name || word === alias);
}

/** Every command, in the order of the help. */
export const commands: readonly CommandDescription[] = [
  ...taking,
  ...looking,
  ...restoring,
  ...keeping,
  ...sharing,
  ...settingUp,
];
