import { commandsOf, type ProcessCommand } from './process-commands.ts';
import { type ProcessRig, startProcessRig } from './process-rig.ts';
import { type SuiteOptions, seedsOf, shuffled } from './suite.ts';
import type { Tally } from './tally.ts';
import { whyNoTracing } from './tools.ts';
import { changesOf, runInjected, type TracedCall, wasKilled } from './traced.ts';

/** The program itself, killed by the kernel at system calls of backup, prune, restore and repair. */
export async function processKills(
  tally: Tally,
  options: SuiteOptions,
): Promise<{ readonly skipped: string } | undefined> {
  const why = whyNoTracing({ install: !options.isShort });
  if (why !== undefined) return { skipped: `processes killed at system calls: ${why}` };
  for (const seed of seedsOf(tally, options)) {
    using rig = await startProcessRig(seed);
    const points: { readonly command: ProcessCommand; readonly point: TracedCall }[] = [];
    const totals: string[] = [];
    for (const command of commandsOf(rig)) {
      await command.prepare();
      const found = await changesOf(rig, command.args);
      totals.push(`${command.name} ${found.length}`);
      points.push(...found.map(point => ({ command, point })));
    }
    tally.remark = `system calls of the last processes that change something: ${totals.join(', ')}`;
    for (const { command, point } of shuffled(points, seed)) {
      if (tally.isOver(options)) break;
      const problem = await tryKill(rig, command, point);
      const where = `seed ${seed}, ${command.name} at ${point.call} ${point.nth}`;
      if (problem === 'not killed') tally.note('not met again');
      else tally.add(`${command.name} processes`, problem && `${where}: ${problem}`);
    }
  }
  return undefined;
}

async function tryKill(
  rig: ProcessRig,
  { name, args, prepare, wrongAfter }: ProcessCommand,
  { call, nth }: TracedCall,
): Promise<string | undefined> {
  await prepare();
  const ended = await runInjected(rig, args, { call, nth, what: 'signal=KILL' }).ended;
  if (!wasKilled(ended)) return ended.code === 0 ? 'not killed' : `ended with ${ended.code}: ${ended.stderr}`;
  return (await wrongAfter()) ?? rig.wrong({ restores: name !== 'restore' && nth % 4 === 0 });
}
