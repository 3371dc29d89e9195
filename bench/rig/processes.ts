import { readdirSync, readFileSync } from 'node:fs';

/** The sentinel that a program started; undefined when it has none. Reads /proc. */
export function sentinelOf(programPid: number): number | undefined {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .find(pid => {
      const [state, parent] = statOf(pid);
      return (
        Number(parent) === programPid && state !== 'Z' && readProc(pid, 'cmdline').includes('sentinel-main')
      );
    });
}

/** False for one that nobody has waited for yet. */
export function isAlive(pid: number): boolean {
  const [state] = statOf(pid);
  return state !== undefined && state !== 'Z' && state !== 'X';
}

/** The fields behind the process's name, which may hold anything. */
function statOf(pid: number): string[] {
  const text = readProc(pid, 'stat');
  return text === '' ? [] : text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return ''; // it has ended
  }
}
