import { startProcessRig } from './process-rig.ts';
import { type SuiteOptions, shuffled, type Tally } from './suite.ts';
import { whyNoTracing } from './tools.ts';
import { changesOf, runInjected } from './traced.ts';

const codes = ['EIO', 'ENOSPC', 'EACCES', 'EDQUOT'];

/** A handful: system calls of the program that the kernel answers with an error. */
export async function processErrors(
  tally: Tally,
  options: SuiteOptions,
): Promise<{ readonly skipped?: string; readonly remark: string }> {
  const why = whyNoTracing({ install: true });
  if (why !== undefined) return { skipped: `errors of system calls: ${why}`, remark: '' };
  const ended = { done: 0, failed: 0 };
  using rig = await startProcessRig(options.seed);
  const points = [];
  for (const args of [
    ['backup', '--json'],
    ['prune', '--json'],
  ]) {
    rig.reset();
    for (const call of await changesOf(rig, args))
      for (const code of codes) points.push({ args, call, code });
  }
  for (const { args, call, code } of shuffled(points, options.seed)) {
    if (tally.isOver(options)) break;
    rig.reset();
    const before = await rig.snapshots();
    const run = await runInjected(rig, args, { call: call.call, nth: call.nth, what: `error=${code}` }).ended;
    ended[run.code === 0 ? 'done' : 'failed'] += 1;
    const left = (await rig.snapshots()).filter(id => !before.includes(id));
    const isRight = left.length === (args[0] === 'backup' && run.code === 0 ? 1 : 0);
    const problem = isRight
      ? await rig.wrong({ restores: run.code === 0 })
      : `it ended with ${run.code} and left ${left.length} snapshots: ${run.stderr}`;
    const where = `seed ${options.seed}, ${args[0]}, ${code} at ${call.call} ${call.nth}, ${call.text}`;
    tally.add(`${args[0]} processes`, problem && `${where}: ${problem}`);
  }
  return { remark: `of the processes ${ended.done} ended with 0, ${ended.failed} with another code` };
}
