import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { better } from '../compare/result.ts';
import { fastImport, git } from '../instance/git.ts';
import { type Dice, rollDice } from '../instance/random.ts';
import { scripts } from '../peers/scripts.ts';
import { folderBytes } from '../rows/dump.ts';
import { measureFiles } from './files.ts';
import type { Workload } from './workload.ts';

const bytesAll = 2_500_000_000;
const bytesQuick = 6_000_000;
const repositories = 10;
const blobBytes = 100_000;

/** Few large files: packs that Git made of repositories full of what does not compress. */
export const packs: Workload = {
  name: 'packs',
  about: '2.5 GB of packs of ten Git repositories',
  async run(options) {
    const startedMs = performance.now();
    const source = join(options.folder, 'home');
    await makePacks(source, { bytes: options.quick ? bytesQuick : bytesAll, seed: options.seed });
    const steps = await measureFiles(source, {
      ...options,
      // Two minutes of gzip a backup, and no target is set against it.
      without: [...(options.without ?? []), scripts().name],
      targets: {
        'first backup': [better('restic', 3.5), better('borg', 2.5)],
        'unchanged backup': [better('restic', 4), better('borg', 4)],
        restore: [better('restic', 2.5), better('borg', 3)],
        'store size': [],
      },
    });
    return {
      workload: packs.name,
      data: { repositories, bytes: folderBytes(source) },
      steps,
      seconds: (performance.now() - startedMs) / 1000,
    };
  },
};

/** Ten repositories of about so many bytes together. */
export async function makePacks(
  folder: string,
  { bytes, seed }: { readonly bytes: number; readonly seed: number },
): Promise<void> {
  const dice = rollDice(seed);
  for (let i = 0; i < repositories; i += 1)
    await makeRepository(join(folder, `${i}`), { dice, bytes: bytes / repositories });
}

/** A bare repository with one pack, of blobs that are nine tenths noise. */
async function makeRepository(
  folder: string,
  { dice, bytes }: { readonly dice: Dice; readonly bytes: number },
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await git(['init', '--bare', '--quiet', '.'], { cwd: folder });
  const blobs = Math.ceil(bytes / blobBytes);
  const produce: Parameters<typeof fastImport>[1] = async write => {
    for (let i = 0; i < blobs; i += 1) {
      await write(
        `commit refs/heads/main\ncommitter bench <bench@localhost> ${1_700_000_000 + i} +0000\ndata 0\n`,
      );
      const text = dice.text(blobBytes / 10);
      const noise = dice.bytes(Math.round(blobBytes * 0.9));
      await write(`M 100644 inline file-${i % 500}\ndata ${text.length + noise.length}\n`);
      await write(text);
      await write(noise);
      await write('\n');
    }
  };
  await fastImport(folder, produce, { configuration: ['core.compression=1'] });
}
