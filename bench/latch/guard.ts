import { spawn } from 'node:child_process';

/** Lets the guard go; it removes the folder. */
export interface Guard {
  release(): void;
}

/**
 * When this process ends, however it ends, kills every process with the folder in its environment and removes the folder: a
 * sentinel would else go on trying to unlock an application that is gone. A shell that reads from a pipe which only this
 * process holds, as in `bench/servers/watcher.ts`; /proc says who is meant.
 */
const script = `
read -r word
if [ "$word" != released ]; then
  for process in /proc/[0-9]*; do
    pid=\${process#/proc/}
    [ "$pid" = $$ ] && continue
    grep -qsF -- "$1" "$process/environ" && kill -KILL "$pid"
  done 2>/dev/null
  sleep 0.1
fi
rm -rf -- "$1"
`;

export function guardFolder(folder: string): Guard {
  const shell = spawn('/bin/sh', ['-c', script, 'stillpoint-guard', folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
  });
  shell.on('error', () => {});
  shell.stdin.on('error', () => {});
  shell.unref();
  (shell.stdin as unknown as { unref(): void }).unref();
  return { release: () => void shell.stdin.end('released\n') };
}
