import { posix } from 'node:path';
import { chances } from '../helpers/interleaved.ts';
import {
  type Chance,
  type DiskCall,
  type DiskFault,
  diskError,
  type LossyDisk,
  lossyDisk,
} from '../helpers/lossy-disk.ts';
import { commitFiles } from '../helpers/small-store.ts';
import { type Ending, wrongWith } from './judge.ts';
import { type Suite, type SuiteOptions, seedsOf, shuffled } from './suite.ts';
import { Tally } from './tally.ts';
import {
  backendOn,
  type Job,
  jobsFor,
  makeWorld,
  onBackend,
  storePath,
  type World,
  worldSeams,
} from './world.ts';

/** Calls after which the disk is not what it was. */
const changing: ReadonlySet<DiskCall['operation']> = new Set([
  'create',
  'write',
  'sync',
  'link',
  'rename',
  'unlink',
  'makeFolder',
  'syncFolder',
]);

export const isChange = ({ operation }: DiskCall): boolean => changing.has(operation);

/** Paths of files, relative to the store's folder. */
export function pathsOn(disk: LossyDisk): readonly string[] {
  return disk.paths().map(path => path.slice(storePath.length + 1));
}

/** A world on a disk in memory, of which every run gets a copy. */
export interface DiskWorld {
  readonly world: World;
  readonly disk: LossyDisk;
}

/** The room that a prune sets aside is megabytes of writing: one job does it, the others go without. */
export const withoutReserve: DiskFault = ({ operation, path }) =>
  operation === 'create' && path.includes('.tmp-reserve-') ? diskError('ENOSPC', path) : undefined;

export async function makeDiskWorld(seed: number): Promise<DiskWorld> {
  const disk = lossyDisk({ fault: withoutReserve });
  return { disk, world: await makeWorld(await backendOn(disk.fileSystem, `world ${seed}`), seed) };
}

/** What a job finds: a copy of the world's disk, without what was lost before. */
export async function diskFor(job: Job, { disk }: DiskWorld, fault?: DiskFault): Promise<LossyDisk> {
  const { lost } = job;
  if (lost === undefined) return disk.copy(fault);
  const broken = disk.copy();
  for (const path of pathsOn(broken)) {
    if (!lost.test(path)) continue;
    await broken.fileSystem.unlink(`${storePath}/${path}`);
    await broken.fileSystem.syncFolder(posix.dirname(`${storePath}/${path}`));
  }
  return broken.copy(fault);
}

/** A state in which a run can leave the disk, and what its caller knew by then. */
export interface Left {
  readonly disk: LossyDisk;
  readonly ending: Ending;
  readonly where: string;
}

/** Every state of the disk that a run goes through: before each change, and at the end. */
export async function statesOf(job: Job, made: DiskWorld): Promise<Left[]> {
  const { world } = made;
  const states: Left[] = [];
  let running: LossyDisk | undefined;
  running = await diskFor(job, made, call => {
    if (running && isChange(call)) {
      const where = `before change ${states.length + 1}, ${call.operation} ${call.path}`;
      states.push({ disk: running.copy(), ending: { how: 'dead' }, where });
    }
    return job.name === 'prune' ? undefined : withoutReserve(call);
  });
  const backend = await backendOn(running.fileSystem, `${job.name} ${world.seed}`);
  const done = await job.run(
    onBackend(world.opened, backend, worldSeams(`${job.name} ${world.seed}`)),
    world,
  );
  states.push({ disk: running.copy(), ending: { how: 'done', done }, where: 'at its end' });
  return states;
}

/** What a power cut can leave: each thing that was not synced there or not, alone and together, and by chance. */
export function* powerCuts(
  disk: LossyDisk,
  { seed, random }: { readonly seed: number; readonly random: number },
): Generator<{ readonly disk: LossyDisk; readonly how: string }> {
  let asked = 0;
  const counting = (answer: boolean): Chance => {
    asked = 0;
    return () => {
      asked += 1;
      return answer;
    };
  };
  yield { disk: disk.afterPowerCut(counting(true)), how: 'nothing unsynced is left' };
  if (asked === 0) return; // all was synced: there is one outcome
  const questions = asked;
  yield { disk: disk.afterPowerCut(counting(false)), how: 'every name is left' };
  for (const answer of [true, false])
    for (let other = 0; other < questions; other++) {
      let at = 0;
      const one: Chance = () => (at++ === other) !== answer;
      yield {
        disk: disk.afterPowerCut(one),
        how: `${answer ? 'only' : 'all but'} ${other + 1} of it is left`,
      };
    }
  const chance = chances(seed);
  for (let i = 0; i < random && questions > 1; i++)
    yield { disk: disk.afterPowerCut(() => chance() < 0.5), how: `some of it is left, ${i}` };
}

const figure = {
  name: 'replayed prefixes of a run, and reorderings that a missing fsync allows',
  ci: 24,
  release: 'every one of 100 stores',
};

export const replaySuite: Suite = {
  name: 'replay',
  about: 'every state of the disk that a run goes through, and what a power cut makes of it',
  figures: [figure],
  async run(options) {
    const tally = new Tally(figure.name);
    for (const seed of seedsOf(tally, options)) {
      const made = await makeDiskWorld(seed);
      const states: { readonly job: Job; readonly left: Left }[] = [];
      for (const job of jobsFor(options, seed))
        for (const left of await statesOf(job, made)) states.push({ job, left });
      const seen = new Map<string, string | undefined>();
      for (const { job, left } of shuffled(states, seed)) {
        if (tally.isOver(options)) break;
        await replayState(job, left, { made, seen, tally, options });
      }
      tally.note('of them distinct states', seen.size);
    }
    return [tally];
  },
};

interface Replaying {
  readonly made: DiskWorld;
  /** What is wrong, by what is left. */
  readonly seen: Map<string, string | undefined>;
  readonly tally: Tally;
  readonly options: SuiteOptions;
}

async function replayState(job: Job, left: Left, { made, seen, tally, options }: Replaying): Promise<void> {
  const { seed } = made.world;
  const { disk, ending, where } = left;
  const all = [{ disk, how: 'killed' }, ...powerCuts(disk, { seed, random: 6 })];
  const cuts = options.isShort ? shuffled(all, seed + tally.points).slice(0, 2) : all;
  for (const { disk: after, how } of cuts) {
    if (tally.isOver(options)) return;
    const known = `${job.name} ${ending.how} ${after.fingerprint()}`;
    if (!seen.has(known)) seen.set(known, await wrongOn(after, made.world, { job, ending }));
    const problem = seen.get(known);
    tally.add(job.name, problem && `seed ${seed}, ${job.name}, ${where}, ${how}: ${problem}`);
  }
  if (job.lost || tally.isOver(options)) return;
  const problem = await wrongAfterNext(left, made.world);
  const what = `seed ${seed}, ${job.name}, killed ${where}, then a backup and a power cut: ${problem}`;
  tally.add('power cuts after the next backup', problem && what);
}

/** The process died, the machine did not: what was never synced must be nothing that the next run builds on. */
async function wrongAfterNext({ disk }: Left, world: World): Promise<string | undefined> {
  const running = disk.copy(withoutReserve);
  const backend = await backendOn(running.fileSystem, 'next');
  const next = await commitFiles(onBackend(world.opened, backend, worldSeams('next')), world.next);
  const left = running.afterPowerCut(() => true);
  const known = { ...world, snapshots: [...world.snapshots, next] };
  return wrongOn(left, known, { job: { name: 'forget' }, ending: { how: 'dead' } });
}

export async function wrongOn(
  left: LossyDisk,
  world: World,
  {
    job,
    ending,
    mayLeave,
  }: { readonly job: Pick<Job, 'name' | 'lost'>; readonly ending: Ending; readonly mayLeave?: boolean },
): Promise<string | undefined> {
  const disk = left.copy(withoutReserve);
  const backend = await backendOn(disk.fileSystem, 'judge');
  const forgets = job.name.startsWith('forget');
  const leave = mayLeave === undefined ? {} : { mayLeave };
  return wrongWith(backend, world, {
    ending,
    forgets,
    paths: () => pathsOn(disk),
    mends: job.lost !== undefined,
    ...leave,
  });
}
