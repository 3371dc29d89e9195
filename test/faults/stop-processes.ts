import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Running } from '../../bench/rig/index.ts';
import { beginPrune, openLocalBackend, systemClock } from '../../store/index.ts';
import { reopenStore } from '../helpers/stores.ts';
import { type ProcessRig, startProcessRig } from './process-rig.ts';
import { type SuiteOptions, shuffled, type Tally } from './suite.ts';
import { whyNoTracing } from './tools.ts';
import { changesOf, runInjected } from './traced.ts';
import { fastRandomness } from './world.ts';

/** A few as processes: stopped by the kernel in the middle, and continued when others have pruned and backed up. */
export async function processStops(
  tally: Tally,
  options: SuiteOptions,
): Promise<{ readonly skipped?: string; readonly remark: string }> {
  const why = whyNoTracing({ install: true });
  if (why !== undefined) return { skipped: `stopped processes: ${why}`, remark: '' };
  const ended = new Map<string, number>();
  using rig = await startProcessRig(options.seed);
  const points = [];
  for (const args of [
    ['backup', '--json'],
    ['prune', '--json'],
  ]) {
    rig.reset();
    const calls = await changesOf(rig, args);
    points.push(...calls.filter(({ text }) => text.includes('/store/')).map(call => ({ args, call })));
  }
  for (const { args, call } of shuffled(points, options.seed)) {
    if (tally.isOver(options)) break;
    rig.reset();
    const trace = join(rig.folder, '..', 'stops');
    rmSync(trace, { force: true });
    const program = runInjected(rig, args, { ...call, what: 'signal=STOP', trace });
    const pid = await stopped(program, trace);
    if (pid === undefined) continue; // it came to its end without
    if (args[0] === 'prune') for (let round = 0; round < 2; round++) await rig.here(['backup', '--json']);
    for (let round = 0; round < (args[0] === 'prune' ? 1 : 2); round++) await pruneAt(rig, round);
    const before = await rig.snapshots();
    process.kill(pid, 'SIGCONT');
    const { code, stderr, json } = await program.ended;
    ended.set(`${code}`, (ended.get(`${code}`) ?? 0) + 1);
    const left = (await rig.snapshots()).filter(id => !before.includes(id));
    const own = args[0] === 'backup' && code === 0 ? [String(json.at(-1)?.['snapshot'])] : [];
    const isRight = left.every(id => own.includes(id));
    const needs = own.length > 0 ? { needs: own } : {};
    const problem = isRight ? await rig.wrong(needs) : `it ended with ${code} and left ${left}: ${stderr}`;
    const where = `seed ${options.seed}, ${args[0]} stopped at ${call.call} ${call.nth}`;
    tally.add(`${args[0]} processes`, problem && `${where}: ${problem}`);
  }
  return {
    remark: `exit codes of stopped processes: ${[...ended].map(([code, n]) => `${code} ${n}×`).join(', ')}`,
  };
}

async function pruneAt(rig: ProcessRig, round: number): Promise<void> {
  const randomness = fastRandomness(`${round} ${performance.now()}`);
  const store = await reopenStore(await openLocalBackend(join(rig.folder, 'store')), {
    clock: systemClock,
    randomness,
  });
  await using session = await beginPrune(store, { host: 'awake', silenceMs: 0 });
  await session.reclaim();
}

/** The traced process, once the tracer tells that it is stopped; undefined when it ends without. */
async function stopped({ pid, ended }: Running, trace: string): Promise<number | undefined> {
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
