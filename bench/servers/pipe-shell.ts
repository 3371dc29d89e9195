import { spawn } from 'node:child_process';

/** A shell that reads what it is told; its input ends when this process does, however that ends, `kill -9` included. */
export interface PipeShell {
  tell(line: string): void;
  /** The last that it is told. */
  end(line: string): void;
}

/**
 * Starts a script with `$1`, in a process group of its own, so that Ctrl-C reaches us and not it. It costs one idle `sh`.
 * Where it cannot be started, or died, there is nothing to say to it: whoever needs it has an end of its own as well.
 */
export function pipeShell(script: string, { name, argument }: { name: string; argument: string }): PipeShell {
  const shell = spawn('/bin/sh', ['-c', script, name, argument], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
  });
  shell.on('error', () => {});
  shell.stdin.on('error', () => {});
  shell.unref();
  (shell.stdin as unknown as { unref(): void }).unref();
  return {
    tell: line => void shell.stdin.write(`${line}\n`),
    end: line => void shell.stdin.end(`${line}\n`),
  };
}
