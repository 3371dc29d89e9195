import { spawn } from 'node:child_process';

/** Ends a server and removes its folder when this process ends without doing so, however it ends. */
export interface Watcher {
  /** Names the process to end; 0 once it has ended, so that nobody else with its number is hit. */
  watch(pid: number): void;
  /** Lets the watcher go. */
  release(): void;
}

/**
 * A shell that reads from a pipe which only this process holds: its end is our end, `kill -9` included. It costs one
 * idle `sh`. In its own process group, so that Ctrl-C reaches us and not it.
 */
const script = `
pid=0
while read -r word; do pid=$word; done
[ "$pid" = released ] && exit 0
if [ "$pid" -gt 1 ]; then
  kill -QUIT "$pid"
  tries=0
  while [ -e "$1/data/postmaster.pid" ] && [ $tries -lt 100 ]; do sleep 0.05; tries=$((tries + 1)); done
fi 2>/dev/null
rm -rf -- "$1"
`;

export function watchServer(folder: string): Watcher {
  const shell = spawn('/bin/sh', ['-c', script, 'stillpoint-watcher', folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
  });
  // A watcher that cannot be started or died leaves nothing to say to it; the server's own stop still works.
  shell.on('error', () => {});
  shell.stdin.on('error', () => {});
  shell.unref();
  (shell.stdin as unknown as { unref(): void }).unref();
  return {
    watch: pid => void shell.stdin.write(`${pid}\n`),
    release: () => void shell.stdin.end('released\n'),
  };
}
