import { type Clock, isStoreError, memoryBackend } from '../../store/index.ts';
import { Interleaving } from '../helpers/interleaved.ts';
import { steppingClock } from '../helpers/seeded.ts';
import type { SmallSnapshot } from '../helpers/small-store.ts';
import { processClocks } from './clock-processes.ts';
import { wrongWith } from './judge.ts';
import { type Suite, seedsOf, shareOf, told, withProcesses } from './suite.ts';
import { Tally } from './tally.ts';
import { jobs, makeWorld, onBackend, type World, worldSeams } from './world.ts';

const hourMs = 3_600_000;
const skewsMs = [0, hourMs, -hourMs, 24 * hourMs, -24 * hourMs, 87_600 * hourMs, -87_600 * hourMs];

/** Schedules. */
const perStore = 25;

const figure = {
  name: 'runs beside each other under clocks that disagree, and jump',
  ci: 5,
  release: '10,000',
};

export const clockSuite: Suite = {
  name: 'clock',
  about:
    'backups and prunes beside each other; each clock is an hour, a day, ten years off, and jumps in between',
  figures: [figure],
  async run(options) {
    const tally = new Tally(figure.name);
    const here = options.isShort ? options : shareOf(options, { points: 0.98, time: 0.6 });
    for (const seed of seedsOf(tally, here, { each: perStore })) {
      const medium = memoryBackend();
      const world = await makeWorld(medium, seed);
      const objects = medium.snapshot();
      for (let schedule = seed; schedule < seed + perStore && !tally.isOver(here); schedule++)
        await play(schedule, { world, objects, tally });
    }
    await withProcesses(tally, options, processClocks);
    return [tally];
  },
};

/** Ends a run where nothing else is wrong: another was declared dead, or was first. */
const expected: ReadonlySet<string> = new Set(['STORE_LOCKED', 'SNAPSHOT_UNKNOWN']);

async function play(
  schedule: number,
  {
    world,
    objects,
    tally,
  }: { readonly world: World; readonly objects: ReadonlyMap<string, Uint8Array>; readonly tally: Tally },
): Promise<void> {
  const medium = memoryBackend({ objects });
  const stage = new Interleaving(schedule);
  const committed: SmallSnapshot[] = [];
  const wrong: string[] = [];
  const forgets = stage.choose(3) === 0;
  const [backup, prune, forgetAndPrune] = jobs;
  const parties = [backup!, forgets ? forgetAndPrune! : prune!, stage.choose(2) === 0 ? backup! : prune!];
  parties.forEach((job, party) => {
    const clock = skewed(() => skewsMs[stage.choose(skewsMs.length)]!);
    const seams = worldSeams(`schedule ${schedule} ${party}`, clock);
    stage.add(medium, async view => {
      try {
        const { committed: snapshot } = await job.run(onBackend(world.opened, view, seams), world);
        if (snapshot) committed.push(snapshot);
      } catch (error) {
        if (!isStoreError(error) || !expected.has(error.code)) wrong.push(`${job.name}: ${told(error)}`);
      }
    });
  });
  await stage.run();
  const later = { ...world, snapshots: [...world.snapshots, ...committed] };
  // Who should have forgotten may not have been first: then it is there, and whole.
  const ending = { how: 'dead' } as const;
  const problem = wrong[0] ?? (await wrongWith(medium, later, { ending, forgets, mayLeave: false }));
  const where = `seed ${schedule}, store ${world.seed}`;
  tally.add('schedules', problem && `${where}: ${problem}`);
}

/** A wall clock that is off, by something else after each few looks; the monotonic one is right. */
function skewed(skewMs: () => number): Clock {
  const right = steppingClock();
  let [looks, offMs] = [0, skewMs()];
  const off = (): number => {
    looks += 1;
    if (looks % 3 === 0) offMs = skewMs();
    return offMs;
  };
  return {
    ...right,
    nowMs: () => right.nowMs() + off(),
    nowNs: () => right.nowNs() + BigInt(off()) * 1_000_000n,
  };
}
