import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type ProcessRig, startProcessRig, wrongHome } from './process-rig.ts';
import { type SuiteOptions, shuffled, type Tally } from './suite.ts';
import { whyNoTracing } from './tools.ts';
import { changesOf, runInjected, type TracedCall, wasKilled } from './traced.ts';

const commands = (rig: ProcessRig): readonly (readonly string[])[] => [
  ['backup', '--json'],
  ['prune', '--json'],
  ['restore', 'latest', '--only', 'home', '--home', join(rig.folder, 'restored'), '--json'],
];

/** The program itself, killed by the kernel at system calls of backup, prune and restore. */
export async function processKills(
  tally: Tally,
  options: SuiteOptions,
): Promise<{ readonly skipped?: string; readonly remark: string }> {
  const why = whyNoTracing({ install: !options.isShort });
  if (why !== undefined) return { skipped: `processes killed at system calls: ${why}`, remark: '' };
  const totals: string[] = [];
  let missed = 0;
  for (let seed = options.seed; !tally.isOver(options); seed++) {
    using rig = await startProcessRig(seed);
    const points: { readonly args: readonly string[]; readonly point: TracedCall }[] = [];
    for (const args of commands(rig)) {
      rig.reset();
      if (args[0] === 'restore') await rig.here(['backup', '--json']);
      const found = await changesOf(rig, args);
      totals.push(`${args[0]} ${found.length}`);
      points.push(...found.map(point => ({ args, point })));
    }
    for (const { args, point } of shuffled(points, seed)) {
      if (tally.isOver(options)) break;
      const problem = await tryKill(rig, args, point);
      if (problem === 'not killed') missed += 1;
      else
        tally.add(
          `${args[0]} processes`,
          problem && `seed ${seed}, ${args[0]} at ${point.call} ${point.nth}: ${problem}`,
        );
    }
  }
  return {
    remark: `system calls that change something: ${totals.slice(0, 3).join(', ')}; ${missed} not met again`,
  };
}

async function tryKill(
  rig: ProcessRig,
  args: readonly string[],
  { call, nth }: TracedCall,
): Promise<string | undefined> {
  rig.reset();
  const isRestore = args[0] === 'restore';
  if (isRestore) await rig.here(['backup', '--json']);
  const ended = await runInjected(rig, args, { call, nth, what: 'signal=KILL' }).ended;
  if (!wasKilled(ended)) return ended.code === 0 ? 'not killed' : `ended with ${ended.code}: ${ended.stderr}`;
  if (isRestore) {
    const wrong = await wrongAfterRestore(rig, args);
    if (wrong !== undefined) return wrong;
  }
  return rig.wrong({ restores: !isRestore && nth % 4 === 0 });
}

/** Without the mark of an unfinished one a restored home is whole; with it, or nothing there, the same command does it. */
async function wrongAfterRestore(rig: ProcessRig, args: readonly string[]): Promise<string | undefined> {
  const target = join(rig.folder, 'restored');
  const again = await rig.here(args);
  const isMarked = existsSync(join(target, '.stillpoint-restore-unfinished'));
  if (again.code !== 0 && !again.stderr.includes('TARGET_NOT_EMPTY'))
    return `the same restore again ended with ${again.code}: ${again.stderr}`;
  if (isMarked) return 'a restore that ended has left its mark';
  return wrongHome(rig.folder, target);
}
