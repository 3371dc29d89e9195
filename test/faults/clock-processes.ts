import { chances } from '../helpers/interleaved.ts';
import { type ProcessRig, startProcessRig } from './process-rig.ts';
import { type SuiteOptions, seedsOf } from './suite.ts';
import type { Tally } from './tally.ts';
import { whyNot } from './tools.ts';

const skews = ['+0', '+1h', '-1h', '+1d', '-1d', '+10y', '-10y'];
/** 11: another run holds the store; it waits its turn. */
const allowed: readonly (number | null)[] = [0, 11];
/** On one home. */
const rounds = 10;

/** Processes under libfaketime: a backup and a prune at once, then one after the other, each with its own time. */
export async function processClocks(
  tally: Tally,
  options: SuiteOptions,
): Promise<{ readonly skipped: string } | undefined> {
  const why = whyNot('faketime', { install: true });
  if (why !== undefined) return { skipped: `processes with another time: ${why}` };
  for (const seed of seedsOf(tally, options)) {
    const chance = chances(seed);
    using rig = await startProcessRig(seed);
    for (let round = 0; round < rounds && !tally.isOver(options); round++) {
      const used = Array.from({ length: 4 }, () => skews[Math.floor(chance() * skews.length)]!);
      const problem = await tryClocks(rig, used);
      tally.add('rounds of processes', problem && `seed ${seed}, ${used.join(' ')}: ${problem}`);
    }
  }
  return undefined;
}

async function tryClocks(rig: ProcessRig, used: readonly string[]): Promise<string | undefined> {
  rig.reset();
  const at = (turn: number, command: string) => {
    // Only the wall clock is wrong: a machine's monotonic one is its own.
    const under = ['env', 'FAKETIME_DONT_FAKE_MONOTONIC=1', 'faketime', '-f', used[turn]!];
    return rig.start([command, '--json'], under).ended;
  };
  const ended = [
    ...(await Promise.all([at(0, 'backup'), at(1, 'prune')])),
    await at(2, 'backup'),
    await at(3, 'prune'),
  ];
  const strange = ended.find(({ code }) => !allowed.includes(code));
  if (strange) return `one ended with ${strange.code}: ${strange.stderr}`;
  const committed = [ended[2], ended[0]].find(run => run?.code === 0)?.json.at(-1)?.['snapshot'];
  return rig.wrong(committed === undefined ? {} : { needs: [String(committed)] });
}
