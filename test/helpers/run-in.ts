import { join } from 'node:path';
import { type Ended, runHere } from '../../bench/rig/index.ts';
import { cheapKdf, testPassphrase } from './stores.ts';

/** Runs the program in this process with `stillpoint.yaml`, state and cache of a folder, and `--json`. */
export function runIn(
  folder: string,
  args: readonly string[],
  { env }: { readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Ended> {
  return runHere([...args, '--json'], {
    cwd: folder,
    kdf: cheapKdf,
    env: {
      PATH: process.env['PATH']!,
      STILLPOINT_CONFIG: join(folder, 'stillpoint.yaml'),
      STILLPOINT_STATE_DIR: join(folder, 'state'),
      STILLPOINT_CACHE_DIR: join(folder, 'cache'),
      STILLPOINT_PASSPHRASE: testPassphrase,
      ...env,
    },
  });
}
