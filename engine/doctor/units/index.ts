import type { Check } from '../check.ts';
import { findUnits, systemdFolders } from './find.ts';
import { judgeUnits } from './judge.ts';

/** Units of systemd that run this program; none: nothing to say. */
export function checkUnits(options: {
  readonly stateDir: string;
  readonly folders?: readonly string[] | undefined;
}): Check {
  return {
    name: 'systemd units',
    run: async () => judgeUnits(await findUnits(options.folders ?? systemdFolders), options),
  };
}
