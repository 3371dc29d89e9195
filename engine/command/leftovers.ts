import { readdirSync, readFileSync } from 'node:fs';
import type { Clock } from '../../store/index.ts';
import type { CommandMoment } from './command.ts';

const pauseMs = 20;

/**
 * Ends commands that outlived the process which ran them, known by a variable of their environment: SIGTERM, then
 * SIGKILL after graceMs. Returns when none is left. Finds none where there is no /proc, and none of other users.
 */
export async function endLeftovers(options: {
  readonly moments: readonly CommandMoment[];
  readonly variable: string;
  readonly value: string;
  readonly graceMs: number;
  readonly clock: Clock;
}): Promise<void> {
  const { graceMs, clock } = options;
  const startMs = clock.monotonicMs();
  for (let left = find(options); left.length > 0; left = find(options)) {
    const waitedMs = clock.monotonicMs() - startMs;
    for (const pid of left) end(pid, waitedMs < graceMs ? 'SIGTERM' : 'SIGKILL');
    if (waitedMs > 2 * graceMs) return; // stuck in the kernel: nothing ends it
    await clock.sleep(pauseMs);
  }
}

function find({
  moments,
  variable,
  value,
}: {
  readonly moments: readonly CommandMoment[];
  readonly variable: string;
  readonly value: string;
}): number[] {
  const pids = listOf('/proc').filter(name => /^\d+$/.test(name) && Number(name) !== process.pid);
  return pids.map(Number).filter(pid => {
    const environment = `\0${textOf(`/proc/${pid}/environ`)}`;
    return (
      environment.includes(`\0${variable}=${value}\0`) &&
      moments.some(moment => environment.includes(`\0STILLPOINT_MOMENT=${moment}\0`))
    );
  });
}

function listOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // another system than Linux
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // it has ended, or is another user's
  }
}

function end(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has ended
  }
}
