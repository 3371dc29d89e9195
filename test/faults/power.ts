import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type FileSystem, nodeFileSystem, type OpenFile } from '../../store/file-system.ts';
import { openLocalBackend } from '../../store/index.ts';
import { chances } from '../helpers/interleaved.ts';
import { type ImageKind, type MountedImage, makeImage, mountImage, whyNoImages } from './images.ts';
import { type Ending, endingOf, wrongWith } from './judge.ts';
import { withoutReserve } from './kill.ts';
import { filesBelow, quickFolder, type Suite, type SuiteOptions, seedsOf } from './suite.ts';
import { Tally } from './tally.ts';
import { whyNot } from './tools.ts';
import { fastRandomness, jobs, makeWorld, onBackend, type World, worldSeams } from './world.ts';

const figure = { name: 'power-cut images (ext4, xfs)', ci: 0, release: '2,000' };

export const powerSuite: Suite = {
  name: 'power',
  about:
    'file systems copied while they are mounted and written to, at calls that change something, and mounted again',
  figures: [figure],
  async run(options) {
    const tally = new Tally(figure.name);
    const folder = mkdtempSync(join(quickFolder, 'stillpoint-power-'));
    try {
      const kinds: ImageKind[] = [];
      for (const kind of ['ext4', 'xfs'] as const) {
        const why = whyNot(`mkfs.${kind}`, { install: true }) ?? whyNoImages(kind, folder);
        if (why === undefined) kinds.push(kind);
        else tally.skipped = `${kind}: ${why}`;
      }
      for (const seed of kinds.length > 0 ? seedsOf(tally, options) : [])
        for (const kind of kinds) await cutsOf(kind, { seed, folder, tally, options });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    return [tally];
  },
};

interface Cutting {
  readonly seed: number;
  readonly folder: string;
  readonly tally: Tally;
  readonly options: SuiteOptions;
}

/** What was on the disk, and what was known to be, when the power went. */
interface Cut {
  readonly image: string;
  readonly where: string;
  readonly job: string;
  readonly ending: Ending;
  readonly world: World;
}

const perJob = 5;

/** One store on one file system: all jobs, one after the other, with cuts in between; then each image is looked at. */
async function cutsOf(kind: ImageKind, { seed, folder, tally, options }: Cutting): Promise<void> {
  const file = join(folder, 'live');
  makeImage(file, kind);
  const cuts: Cut[] = [];
  {
    using mounted = mountImage(file, { kind, path: join(folder, 'mounted') });
    const cutter = new Cutter(mounted, { folder, seed, tally });
    const path = join(mounted.path, 'store');
    let world = await makeWorld(await openAt(path, withoutReserve(nodeFileSystem)), seed);
    for (const job of jobs) {
      const backend = await openAt(path, withoutReserve(cutter.over(nodeFileSystem)));
      const during = { job: job.name, ending: { how: 'dead' }, world } as const;
      cutter.onCut = (image, where) => cuts.push({ ...during, image, where });
      const ending = await endingOf(
        job.run(onBackend(world.opened, backend, worldSeams(`${seed} ${job.name}`)), world),
      );
      if (ending.how === 'failed') throw ending.error;
      // What a run has told is durable from that moment on.
      cutter.onCut = (image, where) => cuts.push({ ...during, ending, image, where });
      cutter.cut('after its end');
      const committed = ending.how === 'done' ? ending.done.committed : undefined;
      if (committed) world = { ...world, snapshots: [...world.snapshots, committed] };
      if (job.name.startsWith('forget')) break; // its victim is gone
    }
  }
  for (const { image, where, job, ending, world } of cuts) {
    if (tally.isOver(options)) break;
    const problem = await wrongImage(image, folder, { job, ending, world, kind });
    tally.add(kind, problem && `seed ${seed}, ${job}, ${where}: ${problem}`);
    rmSync(image, { force: true });
  }
  for (const { image } of cuts) rmSync(image, { force: true });
}

async function wrongImage(
  image: string,
  folder: string,
  { job, ending, world, kind }: Pick<Cut, 'job' | 'ending' | 'world'> & { readonly kind: ImageKind },
): Promise<string | undefined> {
  try {
    using mounted = mountImage(image, { kind, path: join(folder, 'after') });
    const path = join(mounted.path, 'store');
    return await wrongWith(await openAt(path, withoutReserve(nodeFileSystem)), world, {
      ending,
      forgets: job.startsWith('forget'),
      paths: () => filesBelow(path),
    });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

let opened = 0;

function openAt(path: string, fileSystem: FileSystem) {
  opened += 1;
  return openLocalBackend(path, { create: true, fileSystem, randomness: fastRandomness(`power ${opened}`) });
}

/** Takes an image before one of about so many changes. */
class Cutter {
  onCut: (image: string, where: string) => void = () => undefined;
  readonly #mounted: MountedImage;
  readonly #folder: string;
  readonly #chance: () => number;
  readonly #tally: Tally;
  #cuts = 0;
  #changes = 0;

  constructor(
    mounted: MountedImage,
    { folder, seed, tally }: { readonly folder: string; readonly seed: number; readonly tally: Tally },
  ) {
    this.#mounted = mounted;
    this.#folder = folder;
    this.#chance = chances(seed);
    this.#tally = tally;
  }

  cut(where: string): void {
    this.#cuts += 1;
    const image = join(this.#folder, `cut-${this.#cuts}`);
    if (this.#mounted.copyTo(image)) this.onCut(image, where);
    else {
      this.#tally.note('copies more were thrown away, since the kernel wrote while they were taken');
      rmSync(image);
    }
  }

  over(inner: FileSystem): FileSystem {
    const before =
      <A extends readonly unknown[], T>(name: string, call: (...args: A) => Promise<T>) =>
      (...args: A): Promise<T> => {
        this.#maybe(`${name} ${args.join(' ')}`);
        return call(...args);
      };
    return {
      ...inner,
      create: async (path, mode) => {
        this.#maybe(`create ${path}`);
        return this.#file(await inner.create(path, mode), path);
      },
      link: before('link', inner.link),
      rename: before('rename', inner.rename),
      unlink: before('unlink', inner.unlink),
      makeFolder: before('mkdir', inner.makeFolder),
      syncFolder: before('sync', inner.syncFolder),
    };
  }

  #file(file: OpenFile, path: string): OpenFile {
    return {
      ...file,
      write: (bytes, position) => {
        this.#maybe(`write ${path}`);
        return file.write(bytes, position);
      },
      sync: () => {
        this.#maybe(`sync ${path}`);
        return file.sync();
      },
    };
  }

  #maybe(where: string): void {
    this.#changes += 1;
    if (this.#chance() < perJob / 60) this.cut(`before change ${this.#changes}, ${where}`);
  }
}
