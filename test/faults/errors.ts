import { memoryBackend, storeError } from '../../store/index.ts';
import { type BackendCall, observedBackend } from '../helpers/faulty-backend.ts';
import type { DiskCall, DiskFault, LossyDisk } from '../helpers/lossy-disk.ts';
import { diskError } from '../helpers/lossy-disk.ts';
import { processErrors } from './errors-processes.ts';
import { type Ending, endingOf, wrongWith } from './judge.ts';
import {
  type DiskWorld,
  diskFor,
  isChange,
  makeDiskWorld,
  pathsOn,
  withoutReserve,
  wrongOn,
} from './replay.ts';
import { type Suite, type SuiteOptions, seedsOf, shareOf, shuffled, withProcesses } from './suite.ts';
import { Tally } from './tally.ts';
import { backendOn, type Job, jobsFor, onBackend, storePath, worldSeams } from './world.ts';

/** What a disk answers in the place of a call, or does with it. */
interface Mishap {
  readonly name: string;
  readonly hits: (call: DiskCall) => boolean;
  readonly fault: (call: DiskCall) => ReturnType<DiskFault>;
}

/** `close` reports what a network file system could not write; reads fail with EIO alone. */
const isWrite = (call: DiskCall): boolean => isChange(call) || call.operation === 'close';
const mishaps: readonly Mishap[] = [
  ...['EIO', 'ENOSPC', 'EACCES', 'EDQUOT'].map(code => ({
    name: code,
    hits: isWrite,
    fault: ({ path }: DiskCall) => diskError(code, path),
  })),
  ...[0, 1, 1000].map(shortWriteBytes => ({
    name: `${shortWriteBytes} bytes written at most`,
    hits: ({ operation }: DiskCall) => operation === 'write',
    fault: () => ({ shortWriteBytes }),
  })),
  { name: 'EIO', hits: call => !isWrite(call), fault: ({ path }) => diskError('EIO', path) },
];

const figure = {
  name: 'injected errors (EIO, ENOSPC, EACCES, EDQUOT, short writes) at a call of the disk',
  ci: 8,
  release: '5,000',
};

export const errorsSuite: Suite = {
  name: 'errors',
  about:
    'an error instead of a call of the disk, once or from then on: done but wrong, or failed with a trace',
  figures: [figure],
  async run(options) {
    const tally = new Tally(figure.name);
    const here = options.isShort ? options : shareOf(options, { points: 0.97, time: 0.8 });
    for (const seed of seedsOf(tally, here)) {
      const made = await makeDiskWorld(seed);
      for (const { job, where, run } of shuffled(await pointsOf(made, options), seed)) {
        if (tally.isOver(here)) break;
        const { ending, problem } = await run();
        tally.note(ending.how === 'done' ? 'of the runs ended well' : 'of the runs with an error');
        tally.add(job.name, problem && `seed ${seed}, ${job.name}, ${where}: ${problem}`);
      }
    }
    await withProcesses(tally, options, processErrors);
    return [tally];
  },
};

interface Outcome {
  readonly ending: Ending;
  readonly problem: string | undefined;
}

interface Point {
  readonly job: Job;
  readonly where: string;
  run(): Promise<Outcome>;
}

async function pointsOf(made: DiskWorld, options: SuiteOptions): Promise<Point[]> {
  const points: Point[] = [];
  for (const job of jobsFor(options, made.world.seed))
    points.push(...(await diskPoints(job, made)), ...(await mediumPoints(job, made)));
  return points;
}

async function diskPoints(job: Job, made: DiskWorld): Promise<Point[]> {
  const { running } = await runWith(job, made, withoutReserve);
  return running.calls.flatMap(call =>
    mishaps
      .filter(({ hits }) => hits(call) && (isWrite(call) || call.index % 7 === 0)) // reads are many and much alike
      .flatMap(mishap =>
        [true, false].map(lasts => ({
          job,
          where: `${mishap.name} ${lasts ? 'from' : 'at'} call ${call.index} of the disk, ${call.operation} ${call.path}`,
          run: () => atDisk(job, made, { call, mishap, lasts }),
        })),
      ),
  );
}

async function atDisk(
  job: Job,
  made: DiskWorld,
  { call, mishap, lasts }: { readonly call: DiskCall; readonly mishap: Mishap; readonly lasts: boolean },
): Promise<Outcome> {
  const { hits, fault } = mishap;
  const { running, ending } = await runWith(job, made, now =>
    hits(now) && (now.index === call.index || (lasts && now.index > call.index))
      ? fault(now)
      : withoutReserve(now),
  );
  // The disk that is judged has lost all that was not synced, where the run told that all went well.
  const left = ending.how === 'done' ? running.afterPowerCut(() => true) : running;
  return { ending, problem: await wrongOn(left, made.world, { job, ending, mayLeave: lasts }) };
}

/** Answers of a medium that is no local disk: an error instead of the call, or after it, as when an answer is lost. */
async function mediumPoints(job: Job, { world, disk }: DiskWorld): Promise<Point[]> {
  const objects = new Map(pathsOn(disk).map(path => [path, disk.read(`${storePath}/${path}`)!] as const));
  for (const path of objects.keys()) if (path.includes('.tmp-') || job.lost?.test(path)) objects.delete(path);
  const whole = observedBackend(memoryBackend({ objects }));
  await job.run(onBackend(world.opened, whole, worldSeams(job.name)), world);
  return whole.calls
    .filter(({ operation, index }) => operation !== 'get' || index % 3 === 0)
    .flatMap(call =>
      (['before', 'after'] as const).flatMap(when =>
        [true, false].map(lasts => ({
          job,
          where: `error ${when} ${lasts ? 'all calls from' : 'call'} ${call.index}, ${call.operation} ${call.name}`,
          async run() {
            const medium = memoryBackend({ objects });
            const faulty = observedBackend(medium, now =>
              now.index === call.index || (lasts && now.index > call.index)
                ? { when: now.index === call.index ? when : 'before', error: errorOf(now) }
                : undefined,
            );
            const ending = await endingOf(
              job.run(onBackend(world.opened, faulty, worldSeams(job.name)), world),
            );
            const forgets = job.name.startsWith('forget');
            return {
              ending,
              problem: await wrongWith(medium, world, {
                ending,
                forgets,
                mayLeave: lasts,
                mends: job.lost !== undefined,
              }),
            };
          },
        })),
      ),
    );
}

function errorOf({ operation, name }: BackendCall): Error {
  const code = operation === 'get' || operation === 'list' ? 'STORE_READ_FAILED' : 'STORE_WRITE_FAILED';
  return storeError(code, `Cannot ${operation} ${name}: a fault`);
}

async function runWith(
  job: Job,
  made: DiskWorld,
  fault: DiskFault,
): Promise<{ readonly running: LossyDisk; readonly ending: Ending }> {
  const { world } = made;
  const running = await diskFor(job, made, fault);
  const label = `${job.name} ${world.seed}`;
  const ending = await endingOf(
    backendOn(running.fileSystem, label).then(backend =>
      job.run(onBackend(world.opened, backend, worldSeams(label)), world),
    ),
  );
  return { running, ending };
}
