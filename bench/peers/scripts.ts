import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { costOf, together } from '../compare/cost.ts';
import { type Peer, versionOf } from './peer.ts';

/** What the vendor's scripts do with the home: `rsync` into a copy that stays, then an archive of it, whole each time. */
export function scripts(): Peer {
  return {
    name: 'rsync + tar',
    version:
      versionOf('rsync', '--version') && versionOf('tar', '--version') && versionOf('rsync', '--version'),
    install: 'apt-get install rsync',
    timeStepNs: 1_000_000_000n,
    async open(folder) {
      const copy = join(folder, 'copy');
      const store = join(folder, 'archives');
      const archive = join(store, 'home.tar.gz');
      mkdirSync(copy);
      mkdirSync(store);
      return {
        folder: store,
        async backUp(source) {
          rmSync(archive, { force: true });
          return together([
            await costOf(['rsync', '-a', '--delete', `${source}/`, copy], { cwd: folder }),
            await costOf(['tar', '-czf', archive, '-C', copy, '.'], { cwd: folder }),
          ]);
        },
        restore: target => costOf(['tar', '-xzpf', archive, '-C', target], { cwd: folder }),
      };
    },
  };
}
