import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cost, costOf } from '../compare/cost.ts';
import { programs } from '../rig/index.ts';
import type { PostgresServer } from '../servers/index.ts';

/** Runs the program on a database and a store of its own. */
export function programOn(
  {
    server,
    url,
    scratch,
  }: { readonly server: PostgresServer; readonly url: string; readonly scratch: string },
  nodeArgs: readonly string[] = [],
): (...args: string[]) => Promise<Cost> {
  const config = join(scratch, 'stillpoint.yaml');
  writeFileSync(
    config,
    `instance: bench\nstore: ${join(scratch, 'store')}\ndatabase: { url: ${JSON.stringify(url)} }\napp: { type: none }\n`,
  );
  const env = {
    STILLPOINT_CONFIG: config,
    STILLPOINT_PASSPHRASE: 'bench',
    STILLPOINT_STATE_DIR: join(scratch, 'state'),
    STILLPOINT_CACHE_DIR: join(scratch, 'cache'),
    PGPASSWORD: passwordOf(server),
  };
  return (...args) =>
    costOf([process.execPath, ...nodeArgs, programs.stillpoint, ...args], { cwd: scratch, env });
}

/** Of whoever may do everything there. */
export const passwordOf = ({ superuserUrl }: PostgresServer): string =>
  decodeURIComponent(new URL(superuserUrl).password);
