import type { DatabaseAddress } from '../../database/index.ts';
import type { Check } from '../check.ts';
import { type Finding, good, warn } from '../finding.ts';

const name = 'database';

/** A dump is made by commands, which are not run here: they may cost what they like. */
export function checkDumpCommands({
  pin,
  restore,
  check,
}: Extract<DatabaseAddress, { type: 'command' }>): Check {
  const lacking: Finding[] = [];
  if (restore === null)
    lacking.push(
      warn(name, {
        found:
          'database.restore is not configured: only `stillpoint cat SNAPSHOT database:dump` gives a dump back',
        remedy: 'Write the command that reads the dump, and try it with a restore into scratch.',
      }),
    );
  else if (check === null)
    lacking.push(
      warn(name, {
        found: 'database.check is not configured: nothing proves before a restore that its target is empty',
        remedy:
          'Write a command that ends with 0 only then, or let database.restore refuse a target that holds something.',
      }),
    );
  const when = pin ? 'after the unlock, of what database.pin holds' : 'inside the window';
  return { name, run: async () => [good(name, `a command dumps it, ${when}`), ...lacking] };
}
