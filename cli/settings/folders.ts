import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where tokens and run records live; it must not be deleted while a backup runs. */
export function stateDir(env: NodeJS.ProcessEnv): string {
  return (
    env['STILLPOINT_STATE_DIR'] ||
    env['STATE_DIRECTORY']?.split(':', 1)[0] ||
    join(env['HOME'] || homedir(), '.local/state/stillpoint')
  );
}

/** Where copies of what the store can give again lie; may be deleted at any time. */
export function cacheDir(env: NodeJS.ProcessEnv): string {
  return (
    env['STILLPOINT_CACHE_DIR'] ||
    env['CACHE_DIRECTORY']?.split(':', 1)[0] ||
    join(env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache'), 'stillpoint')
  );
}
