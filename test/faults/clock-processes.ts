import { chances } from '../helpers/interleaved.ts';
import { startProcessRig } from './process-rig.ts';
import type { SuiteOptions, Tally } from './suite.ts';
import { whyNot } from './tools.ts';

const skews = ['+0', '+1h', '-1h', '+1d', '-1d', '+10y', '-10y'];
/** 11: another run holds the store; it waits its turn. */
const allowed: readonly (number | null)[] = [0, 11];

/** A few as processes under libfaketime: a backup and a prune at once, then one after the other, each with its own time. */
export async function processClocks(
  tally: Tally,
  options: SuiteOptions,
): Promise<{ readonly skipped?: string; readonly remark: string }> {
  const why = whyNot('faketime', { install: true });
  if (why !== undefined) return { skipped: `processes with another time: ${why}`, remark: '' };
  const chance = chances(options.seed);
  const anySkew = () => skews[Math.floor(chance() * skews.length)]!;
  using rig = await startProcessRig(options.seed);
  while (!tally.isOver(options)) {
    rig.reset();
    const at = (skew: string, args: readonly string[]) => {
      // Only the wall clock is wrong: a machine's monotonic one is its own.
      const under = ['env', 'FAKETIME_DONT_FAKE_MONOTONIC=1', 'faketime', '-f', skew];
      return rig.start([...args, '--json'], under).ended;
    };
    const used = [anySkew(), anySkew(), anySkew(), anySkew()];
    const [first, second, third, fourth] = used as [string, string, string, string];
    const ended = [
      ...(await Promise.all([at(first, ['backup']), at(second, ['prune'])])),
      await at(third, ['backup']),
      await at(fourth, ['prune']),
    ];
    const strange = ended.find(({ code }) => !allowed.includes(code));
    const committed = [ended[2], ended[0]].find(run => run?.code === 0)?.json.at(-1)?.['snapshot'];
    const needs = committed === undefined ? {} : { needs: [String(committed)] };
    const problem = strange ? `one ended with ${strange.code}: ${strange.stderr}` : await rig.wrong(needs);
    tally.add('rounds of processes', problem && `seed ${options.seed}, ${used.join(' ')}: ${problem}`);
  }
  return { remark: '' };
}
