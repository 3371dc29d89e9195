import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { better } from '../compare/result.ts';
import { rollDice } from '../instance/random.ts';
import { measureFiles } from './files.ts';
import type { Workload } from './workload.ts';

const filesAll = 100_000;
const filesQuick = 200;
const filesPerRepository = 2_000;
export const medianBytesAll = 2_500;

/** Many small files: half of them compressed like loose objects, half of them text like a working tree. */
export const smallFiles: Workload = {
  name: 'small-files',
  about: '100,000 small files, as loose objects and sources are',
  async run(options) {
    const startedMs = performance.now();
    const files = options.quick ? filesQuick : filesAll;
    const source = join(options.folder, 'home');
    const bytes = makeSmallFiles(source, { files, seed: options.seed, medianBytes: medianBytesAll });
    const steps = await measureFiles(source, {
      ...options,
      targets: {
        'first backup': [better('restic', 3), better('borg', 2.5)],
        'unchanged backup': [better('restic', 4), better('borg', 4)],
        restore: [better('restic', 2.5), better('borg', 3)],
        'store size': [better('restic', 1 / 0.75)],
      },
    });
    return {
      workload: smallFiles.name,
      data: { files, bytes },
      steps,
      seconds: (performance.now() - startedMs) / 1000,
    };
  },
};

/** Returns the bytes of all files. Sizes lie within an eighth and eight times the median, most of them near it. */
export function makeSmallFiles(
  folder: string,
  {
    files,
    seed,
    medianBytes,
  }: { readonly files: number; readonly seed: number; readonly medianBytes: number },
): number {
  const dice = rollDice(seed);
  const source = dice.text(4_000_000);
  let bytes = 0;
  for (let i = 0; i < files; i += 1) {
    const repository = join(folder, `repository-${Math.floor(i / filesPerRepository)}`);
    const hash = Buffer.from(dice.bytes(20)).toString('hex');
    const size = Math.round(medianBytes * 2 ** (dice.below(1000) / 333 + dice.below(1000) / 333 - 3)) + 20;
    const from = dice.below(source.length - size);
    // a line of its own, so that no two are equal
    const text = `${hash}\n${source.slice(from, from + size)}`;
    const isObject = i % 2 === 1;
    const path = isObject
      ? join(repository, 'objects', hash.slice(0, 2))
      : join(repository, 'src', `part-${dice.below(40)}`);
    const content = isObject ? deflateSync(text, { level: 1 }) : Buffer.from(text);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, hash.slice(2)), content);
    bytes += content.length;
  }
  return bytes;
}
