import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Ended, Running } from '../../bench/rig/index.ts';
import { beginPrune, openLocalBackend, systemClock } from '../../store/index.ts';
import { reopenStore } from '../helpers/stores.ts';
import { type ProcessRig, startProcessRig } from './process-rig.ts';
import { type SuiteOptions, seedsOf, shuffled } from './suite.ts';
import type { Tally } from './tally.ts';
import { whyNoTracing } from './tools.ts';
import { changesOf, runInjected, type TracedCall } from './traced.ts';
import { fastRandomness } from './world.ts';

/** Processes, stopped by the kernel in the middle, and continued when others have pruned and backed up. */
export async function processStops(
  tally: Tally,
  options: SuiteOptions,
): Promise<{ readonly skipped: string } | undefined> {
  const why = whyNoTracing({ install: true });
  if (why !== undefined) return { skipped: `stopped processes: ${why}` };
  for (const seed of seedsOf(tally, options)) {
    using rig = await startProcessRig(seed);
    const points = [];
    for (const name of ['backup', 'prune'] as const) {
      rig.reset();
      const calls = await changesOf(rig, [name, '--json']);
      points.push(...calls.filter(({ text }) => text.includes('/store/')).map(call => ({ name, call })));
    }
    for (const { name, call } of shuffled(points, seed)) {
      if (tally.isOver(options)) break;
      const stopped = await tryStop(rig, name, call);
      if (stopped === undefined) continue; // it came to its end without
      tally.note(`of the stopped processes ended with ${stopped.endedWith}`);
      const where = `seed ${seed}, ${name} stopped at ${call.call} ${call.nth}`;
      tally.add(`${name} processes`, stopped.problem && `${where}: ${stopped.problem}`);
    }
  }
  return undefined;
}

async function tryStop(
  rig: ProcessRig,
  name: 'backup' | 'prune',
  call: TracedCall,
): Promise<{ readonly problem: string | undefined; readonly endedWith: number | null } | undefined> {
  rig.reset();
  const trace = join(rig.folder, '..', 'stops');
  rmSync(trace, { force: true });
  const program = runInjected(rig, [name, '--json'], { ...call, what: 'signal=STOP', trace });
  const pid = await whenStopped(program, trace);
  if (pid === undefined) return undefined;
  // The policy keeps the newest alone: what was the newest when it fell asleep may go, not what is when it wakes.
  const newest: string[] = [];
  if (name === 'prune')
    for (let round = 0; round < 2; round++) newest.push(snapshotOf(await rig.here(['backup', '--json'])));
  for (let round = 0; round < (name === 'prune' ? 1 : 2); round++) await pruneAt(rig, round);
  const before = await rig.snapshots();
  const { code, stderr, json } = await continued(program, pid);
  const left = (await rig.snapshots()).filter(id => !before.includes(id));
  const own = name === 'backup' && code === 0 ? [snapshotOf({ json })] : [];
  const isRight = left.every(id => own.includes(id));
  const last = [...own, ...newest].at(-1);
  const needs = last === undefined ? {} : { needs: [last] };
  const problem = isRight ? await rig.wrong(needs) : `it ended with ${code} and left ${left}: ${stderr}`;
  return { problem, endedWith: code };
}

const snapshotOf = ({ json }: Pick<Ended, 'json'>): string => String(json.at(-1)?.['snapshot']);

async function pruneAt(rig: ProcessRig, round: number): Promise<void> {
  const randomness = fastRandomness(`${round} ${performance.now()}`);
  const store = await reopenStore(await openLocalBackend(join(rig.folder, 'store')), {
    clock: systemClock,
    randomness,
  });
  await using session = await beginPrune(store, { host: 'awake', silenceMs: 0 });
  await session.reclaim();
}

/** Another thread of it may come to its own nth call, and stop all of it again. */
async function continued({ ended }: Running, pid: number): Promise<Ended> {
  const wake = () => {
    try {
      process.kill(pid, 'SIGCONT');
    } catch {
      // it has ended
    }
  };
  wake();
  const timer = setInterval(wake, 50);
  return ended.finally(() => clearInterval(timer));
}

/** The traced process, once the tracer tells that it is stopped; undefined when it ends without. */
async function whenStopped({ pid, ended }: Running, trace: string): Promise<number | undefined> {
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  while (!hasEnded) {
    await new Promise(resolve => setTimeout(resolve, 10));
    if (!existsSync(trace) || !readFileSync(trace, 'latin1').includes('--- stopped by SIGSTOP ---')) continue;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return Number(children.trim().split(' ')[0]);
  }
  return undefined;
}
