import { type Backend, beginPrune, isStoreError, memoryBackend, type Store } from '../../store/index.ts';
import { type BackendCall, observedBackend } from '../helpers/faulty-backend.ts';
import { commitFiles, type SmallSnapshot } from '../helpers/small-store.ts';
import { type Ending, endingOf, wrongWith } from './judge.ts';
import { processStops } from './stop-processes.ts';
import { type Suite, seedsOf, shareOf, shuffled, told, withProcesses } from './suite.ts';
import { Tally } from './tally.ts';
import { type Job, jobs, makeWorld, onBackend, type World, worldSeams } from './world.ts';

const figure = {
  name: 'runs that sleep at a call of the medium while others prune and back up',
  ci: 6,
  release: 'every call of 100 stores',
};

export const stopSuite: Suite = {
  name: 'stop',
  about:
    'a backup that sleeps through two whole prunes, a prune that sleeps through backups and a prune, at every call',
  figures: [figure],
  async run(options) {
    const tally = new Tally(figure.name);
    const here = options.isShort ? options : shareOf(options, { points: 0.97, time: 0.5 });
    for (const seed of seedsOf(tally, here)) {
      const medium = memoryBackend();
      const world = await makeWorld(medium, seed);
      const objects = medium.snapshot();
      for (const point of shuffled(await pointsOf(world, objects), seed)) {
        if (tally.isOver(here)) break;
        await trySleep(point, { world, objects, tally });
      }
    }
    await withProcesses(tally, options, processStops);
    return [tally];
  },
};

/** A repair works on a store that others prune only when it is whole again. */
const withoutLosses = jobs.filter(({ lost }) => lost === undefined);

type Objects = ReadonlyMap<string, Uint8Array>;

interface Point {
  readonly job: Job;
  readonly call: BackendCall;
}

async function pointsOf(world: World, objects: Objects): Promise<Point[]> {
  const points: Point[] = [];
  for (const job of withoutLosses) {
    const observed = observedBackend(memoryBackend({ objects }));
    await job.run(onBackend(world.opened, observed, worldSeams(job.name)), world);
    points.push(...observed.calls.map(call => ({ job, call })));
  }
  return points;
}

interface Stage {
  readonly world: World;
  readonly objects: Objects;
  readonly tally: Tally;
}

async function trySleep({ job, call }: Point, { world, objects, tally }: Stage): Promise<void> {
  const medium = memoryBackend({ objects });
  const meanwhile: SmallSnapshot[] = [];
  // Those who are awake may forget the victim, too: then they take what the sleeper counts on.
  const forgets = job.name.startsWith('forget') || call.index % 2 === 0;
  const sleeper = sleepingAt(medium, call.index, async () => {
    for (let round = 0; round < 2; round++) {
      const awake = onBackend(world.opened, medium, worldSeams(`awake ${round}`));
      if (job.name !== 'backup')
        meanwhile.push(await commitFiles(awake, round === 0 ? world.later : world.next));
      if (job.name === 'backup' || round === 1)
        await pruneOnce(awake, forgets && round === 1 ? [world.victim] : []);
    }
  });
  const ending = await endingOf(job.run(onBackend(world.opened, sleeper, worldSeams('sleeper')), world));
  tally.note(
    ending.how === 'failed' && isStoreError(ending.error)
      ? `of the sleepers with ${ending.error.code}`
      : 'of the sleepers ended well',
  );
  const later = { ...world, snapshots: [...world.snapshots, ...meanwhile] };
  const problem = accused(ending) ?? (await wrongWith(medium, later, { ending, forgets }));
  const where = `seed ${world.seed}, ${job.name} asleep before call ${call.index}, ${call.operation} ${call.name}`;
  tally.add(job.name, problem && `${where}: ${problem}`);
}

/** Who sleeps too long says so, and does not call the store damaged or the medium unfit. */
function accused(ending: Ending): string | undefined {
  if (ending.how !== 'failed' || !isStoreError(ending.error)) return undefined;
  const { code } = ending.error;
  return code === 'STORE_LOCKED' || code === 'SNAPSHOT_UNKNOWN'
    ? undefined
    : `it ends with ${told(ending.error)}`;
}

async function pruneOnce(store: Store, snapshots: readonly SmallSnapshot[]): Promise<void> {
  await using session = await beginPrune(store, { host: 'awake', silenceMs: 0 });
  for (const { id } of snapshots) await session.forget(id, { reason: 'a test' });
  await session.reclaim();
}

/** Before its nth call whoever uses it sleeps, and wakes when the others are done. */
function sleepingAt(inner: Backend, nth: number, others: () => Promise<void>): Backend {
  let calls = 0;
  const call = async <T>(work: () => Promise<T>): Promise<T> => {
    calls += 1;
    if (calls === nth) await others();
    return work();
  };
  return {
    location: inner.location,
    put: (name, bytes, options) => call(() => inner.put(name, bytes, options)),
    sync: options => call(() => inner.sync(options)),
    get: (name, options) => call(() => inner.get(name, options)),
    async *list(prefix, options) {
      await call(async () => undefined);
      yield* inner.list(prefix, options);
    },
    delete: (name, options) => call(() => inner.delete(name, options)),
    close: () => inner.close(),
  };
}
