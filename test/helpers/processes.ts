import { readdirSync, readFileSync } from 'node:fs';
import { until } from './small-rig.ts';

export { isAlive, sentinelOf } from '../../bench/rig/index.ts';

/** Waits until no process of a group runs any more. One that has ended and waits for its parent's look has ended. */
export async function assertGroupEnds(group: number): Promise<void> {
  await until(() => !readdirSync('/proc').some(name => isRunningIn(name, group)), `group ${group} ends`);
}

function isRunningIn(name: string, group: number): boolean {
  if (!/^\d+$/.test(name)) return false;
  let stat: string;
  try {
    stat = readFileSync(`/proc/${name}/stat`, 'latin1');
  } catch {
    return false; // it has ended meanwhile
  }
  const [state, , groupOf] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(groupOf) === group && state !== 'Z' && state !== 'X';
}
