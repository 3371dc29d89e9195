import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** Names a process for good: a pid alone is used again after its end, and after a reboot. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, from /proc; empty where there is no /proc. */
  readonly started: string;
  readonly boot: string;
}

export async function ownIdentity(): Promise<ProcessIdentity> {
  return { pid: process.pid, started: (await startOf(process.pid)) ?? '', boot: await bootId() };
}

/** Of a process that was just started: at once, for this one may end at any time. Undefined when that one has ended. */
export function identityOfChild(pid: number): ProcessIdentity | undefined {
  try {
    const started = startIn(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    return started === undefined ? undefined : { pid, started, boot };
  } catch {
    return undefined; // no /proc, or no such process
  }
}

/** False only when that process certainly ended: another boot, no such pid, or a pid that started at another time. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  if (identity.boot !== (await bootId())) return false;
  const started = await startOf(identity.pid);
  if (started !== undefined) return identity.started === '' || started === identity.started;
  if (identity.started !== '') return false;
  try {
    process.kill(identity.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** undefined: no such process, a zombie, or no /proc. */
async function startOf(pid: number): Promise<string | undefined> {
  let stat: string;
  try {
    stat = await readFile(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined; // no such process
  }
  return startIn(stat);
}

function startIn(stat: string): string | undefined {
  // The name, in parentheses, may hold anything: the fields begin behind its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

async function bootId(): Promise<string> {
  try {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'latin1')).trim();
  } catch {
    return ''; // no /proc: pids are all there is
  }
}
