import { join } from 'node:path';
import { commandsOf, type ProcessCommand } from './process-commands.ts';
import { type ProcessRig, startProcessRig } from './process-rig.ts';
import { type SuiteOptions, seedsOf, shuffled } from './suite.ts';
import type { Tally } from './tally.ts';
import { whyNoTracing } from './tools.ts';
import { changesOf, hasMissed, runInjected, type TracedCall } from './traced.ts';

const codes = ['EIO', 'ENOSPC', 'EACCES', 'EDQUOT'];

/** System calls of the program that the kernel answers with an error. */
export async function processErrors(
  tally: Tally,
  options: SuiteOptions,
): Promise<{ readonly skipped: string } | undefined> {
  const why = whyNoTracing({ install: true });
  if (why !== undefined) return { skipped: `errors of system calls: ${why}` };
  for (const seed of seedsOf(tally, options)) {
    using rig = await startProcessRig(seed);
    const points = [];
    for (const command of commandsOf(rig)) {
      await command.prepare();
      for (const point of await changesOf(rig, command.args))
        for (const code of codes) points.push({ command, point, code });
    }
    for (const { command, point, code } of shuffled(points, seed)) {
      if (tally.isOver(options)) break;
      const { problem, endedWith, isElsewhere } = await tryError(rig, command, { point, code });
      if (isElsewhere) tally.note('of the processes with an error elsewhere, too');
      tally.note(endedWith === 0 ? 'of the processes ended with 0' : 'of the processes with another code');
      const where = `seed ${seed}, ${command.name}, ${code} at ${point.call} ${point.nth}, ${point.text}`;
      tally.add(`${command.name} processes`, problem && `${where}: ${problem}`);
    }
  }
  return undefined;
}

async function tryError(
  rig: ProcessRig,
  { name, args, prepare, wrongAfter }: ProcessCommand,
  { point, code }: { readonly point: TracedCall; readonly code: string },
): Promise<{
  readonly problem: string | undefined;
  readonly endedWith: number | null;
  /** A call of Node's own got the error, too: how the program ends says nothing. */
  readonly isElsewhere: boolean;
}> {
  await prepare();
  const before = await rig.snapshots();
  const { call, nth } = point;
  const trace = join(rig.folder, '..', 'trace');
  const run = await runInjected(rig, args, { call, nth, what: `error=${code}`, trace }).ended;
  const isElsewhere = hasMissed(rig, trace);
  const left = (await rig.snapshots()).filter(id => !before.includes(id));
  const isRight = left.length === (name === 'backup' && run.code === 0 ? 1 : 0);
  const problem =
    isRight || isElsewhere
      ? ((await wrongAfter()) ?? (await rig.wrong({ restores: run.code === 0 })))
      : `it ended with ${run.code} and left ${left.length} snapshots: ${run.stderr}`;
  return { problem, endedWith: run.code, isElsewhere };
}
