import { readFile } from 'node:fs/promises';

const leastMax = 512;
const mostMax = 4096;

/** How many files and folders a restore may keep open: a quarter of what this process may have, and few enough for every system. */
export async function openMaxHere(): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'latin1').catch(() => '');
  const allowed = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? 0);
  return Math.min(mostMax, Math.max(leastMax, Math.floor(allowed / 4)));
}
