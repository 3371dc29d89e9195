import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Ended, runHere } from '../../bench/rig/index.ts';
import { systemClock } from '../../store/index.ts';
import { mountsRefused } from '../helpers/mounts.ts';
import { scratchFolder } from '../helpers/scratch.ts';

const run = (command: string, args: readonly string[]) => void execFileSync(command, args, { stdio: 'pipe' });

describe('a home on a volume of its own, read from snapshots of the volume', { skip: refusal() }, () => {
  const scratch = scratchFolder();
  const [volume, mount, image] = ['volume', 'view', 'volume.img'].map(name => join(scratch.path, name)) as [
    string,
    string,
    string,
  ];
  const home = join(volume, 'home');
  const env = {
    STILLPOINT_STATE_DIR: join(scratch.path, 'state'),
    STILLPOINT_CACHE_DIR: join(scratch.path, 'cache'),
  };

  before(async () => {
    writeFileSync(image, '');
    truncateSync(image, 32 << 20);
    run('mkfs.ext4', ['-q', '-F', image]);
    mkdirSync(volume);
    mkdirSync(mount);
    run('mount', ['-o', 'loop', image, volume]);
    mkdirSync(join(home, 'shared'), { recursive: true });
    for (let i = 0; i < 50; i++) writeFileSync(join(home, 'shared', `file-${i}`), `content of ${i}`);
    writeFileSync(join(scratch.path, 'passphrase'), 'correct horse battery staple\n');
    writeFileSync(
      join(scratch.path, 'stillpoint.yaml'),
      JSON.stringify({
        instance: 'volume',
        store: 'store',
        passphraseFile: 'passphrase',
        home: {
          path: home,
          freeze: {
            // what an LVM snapshot is: all blocks of the volume at one moment, mounted at another place
            take: [
              `fsfreeze -f ${volume}; cp --sparse=always ${image} ${image}.snapshot; fsfreeze -u ${volume}`,
              `mount -o loop,ro ${image}.snapshot ${mount}`,
            ],
            mount: join(mount, 'home'),
            drop: [`umount ${mount}`, `rm ${image}.snapshot`],
          },
        },
        app: { type: 'none' },
      }),
    );
    await backUp('init');
  });
  after(() => {
    spawnSync('umount', [mount]);
    spawnSync('umount', [volume]);
    scratch[Symbol.dispose]();
  });

  const backUp = async (...args: readonly string[]): Promise<Ended> => {
    const ended = await runHere([...args, '--json'], { cwd: scratch.path, env });
    assert.equal(ended.code, 0, ended.stderr);
    return ended;
  };
  const homeOf = ({ json }: Ended) =>
    json.at(-1)?.['home'] as { files: number; changed: number; changedInLatch: number };
  const warningsOf = ({ json }: Ended) => json.filter(({ messageType }) => messageType === 'warning');

  test('only what changed is read, whichever way the home is read, and its volume is the same one', async () => {
    await systemClock.sleep(2_500); // a volume that may only be read does not tell how fine its times are
    assert.deepEqual(homeOf(await backUp('backup')).changed, 50);
    writeFileSync(join(home, 'shared', 'file-7'), 'another');
    const second = await backUp('backup');
    assert.deepEqual(
      [homeOf(second).files, homeOf(second).changed, homeOf(second).changedInLatch],
      [50, 1, 0],
    );
    assert.deepEqual(warningsOf(second), []);
    const planned = await backUp('backup', '--dry-run');
    assert.equal(homeOf(planned).changed, 1, 'so new that it is read once more');
    const commands = planned.json.at(-1)?.['commands'] as { moment: string }[] | undefined;
    const moments = commands?.map(({ moment }) => moment);
    assert.deepEqual(moments, ['freeze-take', 'freeze-take', 'freeze-drop', 'freeze-drop']);
    const target = join(scratch.path, 'restored');
    await backUp('restore', 'latest', '--only', 'home', '--home', target);
    assert.equal(readFileSync(join(target, 'shared', 'file-7'), 'utf8'), 'another');
  });
});

function refusal(): string | false {
  if (mountsRefused) return mountsRefused;
  if (['mkfs.ext4', 'fsfreeze'].some(tool => spawnSync(tool, ['-V']).error))
    return 'needs mkfs.ext4 and fsfreeze';
  return spawnSync('losetup', ['-f']).status === 0 ? false : 'needs loop devices';
}
