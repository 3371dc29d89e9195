import { join } from 'node:path';
import { costOf } from '../compare/cost.ts';
import { type Peer, versionOf } from './peer.ts';

/** restic as it comes: encrypted, compressed where its format can. */
export function restic(): Peer {
  return {
    name: 'restic',
    version: versionOf('restic', 'version'),
    install: 'apt-get install restic',
    timeStepNs: 1n,
    async open(folder) {
      const store = join(folder, 'restic');
      const env = {
        RESTIC_REPOSITORY: store,
        RESTIC_PASSWORD: 'bench',
        RESTIC_CACHE_DIR: join(folder, 'restic-cache'),
      };
      await costOf(['restic', '-q', 'init'], { cwd: folder, env });
      return {
        folder: store,
        backUp: source => costOf(['restic', '-q', 'backup', '.'], { cwd: source, env }),
        restore: target =>
          costOf(['restic', '-q', 'restore', 'latest', '--target', target], { cwd: folder, env }),
      };
    },
  };
}
