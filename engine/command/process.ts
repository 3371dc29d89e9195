import type { ChildProcess } from 'node:child_process';
import type { Clock } from '../../store/index.ts';

const pauseMs = 10;

/** How a process ended. */
export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly error?: string;
}

/**
 * `exit`, and a moment for what is still in the pipes: a command may leave something running in the background that
 * holds them open for good. Where every byte counts, all of them are waited for: only a time-out ends that.
 */
export function endOf(
  child: ChildProcess,
  { isEveryByteWanted }: { readonly isEveryByteWanted: boolean },
): Promise<End> {
  return new Promise(resolve => {
    child.once('error', error => resolve({ code: null, signal: null, error: error.message }));
    child.once('close', (code, signal) => resolve({ code, signal }));
    child.once('exit', (code, signal) => {
      const settle = () =>
        setTimeout(() => {
          for (const pipe of child.stdio) pipe?.destroy();
          resolve({ code, signal });
        }, 200).unref();
      const { stdout } = child;
      if (isEveryByteWanted && stdout && !stdout.closed) stdout.once('close', settle);
      else settle();
    });
  });
}

/** SIGTERM to the whole group, then SIGKILL to what is left of it, also when its leader has ended. */
export async function endGroup(
  child: ChildProcess,
  { graceMs, clock }: { readonly graceMs: number; readonly clock: Clock },
): Promise<void> {
  const endMs = clock.monotonicMs() + graceMs;
  let isLeft = signalGroup(child, 'SIGTERM');
  while (isLeft && clock.monotonicMs() < endMs) {
    await clock.sleep(pauseMs);
    isLeft = signalGroup(child, 0);
  }
  signalGroup(child, 'SIGKILL');
  for (const pipe of child.stdio) pipe?.destroy(); // one that left the group may hold them
}

/** False when nobody is left in the group. */
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}
