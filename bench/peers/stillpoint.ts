import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { costOf } from '../compare/cost.ts';
import { programs } from '../rig/index.ts';
import type { Peer } from './peer.ts';

/** Ours, by the program as it is installed, with all that it does by default but for `settings`; `nodeArgs` are for profiles. */
export function stillpoint({
  nodeArgs = [],
  settings = '',
}: {
  readonly nodeArgs?: readonly string[];
  readonly settings?: string;
} = {}): Peer {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    readonly version: string;
  };
  return {
    name: 'stillpoint',
    version: `stillpoint ${version}`,
    install: 'npm ci',
    timeStepNs: 1n,
    async open(folder) {
      const store = join(folder, 'store');
      const config = join(folder, 'stillpoint.yaml');
      const env = {
        STILLPOINT_CONFIG: config,
        STILLPOINT_PASSPHRASE: 'bench',
        STILLPOINT_STATE_DIR: join(folder, 'state'),
        STILLPOINT_CACHE_DIR: join(folder, 'cache'),
      };
      const run = (...args: string[]) =>
        costOf([process.execPath, ...nodeArgs, programs.stillpoint, ...args], { cwd: folder, env });
      const configure = (home: string) =>
        writeFileSync(
          config,
          `instance: bench\nstore: ${store}\nhome: { path: ${home} }\ndatabase: { type: none }\napp: { type: none }\n${settings}\n`,
        );
      configure(folder);
      await run('init');
      return {
        folder: store,
        backUp(source) {
          configure(source);
          return run('backup');
        },
        restore: target => run('restore', 'latest', '--home', target, '--only', 'home'),
      };
    },
  };
}
