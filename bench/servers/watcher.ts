import { pipeShell } from './pipe-shell.ts';

/** Ends a server and removes its folder when this process ends without doing so, however it ends. */
export interface Watcher {
  /** Names the process to end; 0 once it has ended, so that nobody else with its number is hit. */
  watch(pid: number): void;
  /** Lets the watcher go. */
  release(): void;
}

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
  const shell = pipeShell(script, { name: 'stillpoint-watcher', argument: folder });
  return { watch: pid => shell.tell(`${pid}`), release: () => shell.end('released') };
}
