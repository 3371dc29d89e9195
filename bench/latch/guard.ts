import { pipeShell } from '../servers/pipe-shell.ts';

/** Lets the guard go; it removes the folder. */
export interface Guard {
  release(): void;
}

/**
 * When this process ends, however it ends, kills every process with the folder in its environment and removes the folder: a
 * sentinel would else go on trying to unlock an application that is gone. /proc says who is meant.
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
  const shell = pipeShell(script, { name: 'stillpoint-guard', argument: folder });
  return { release: () => shell.end('released') };
}
