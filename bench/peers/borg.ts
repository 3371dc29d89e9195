import { join } from 'node:path';
import { costOf } from '../compare/cost.ts';
import { type Peer, versionOf } from './peer.ts';

/** borg with an encrypted repository and its own choice of compression. */
export function borg(): Peer {
  return {
    name: 'borg',
    version: versionOf('borg', '--version'),
    install: 'apt-get install borgbackup',
    timeStepNs: 1n,
    async open(folder) {
      const store = join(folder, 'borg');
      const env = {
        BORG_REPO: store,
        BORG_PASSPHRASE: 'bench',
        BORG_BASE_DIR: join(folder, 'borg-base'),
        BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
      };
      let runs = 0;
      await costOf(['borg', 'init', '--encryption', 'repokey-blake2'], { cwd: folder, env });
      return {
        folder: store,
        backUp: source => costOf(['borg', 'create', `::run-${++runs}`, '.'], { cwd: source, env }),
        restore: target => costOf(['borg', 'extract', `::run-${runs}`], { cwd: target, env }),
      };
    },
  };
}
