import { execFile } from 'node:child_process';
import { engineError } from '../errors.ts';
import type { Command } from './command.ts';

/** Reads the command without running it, and looks for the program that it begins with. */
const script = `
/bin/sh -n -c "$1" || exit 2
case $2 in
  '') ;;
  */*) [ -x "$2" ] || { echo "$2 is not there, or no program" >&2; exit 127; } ;;
  *) command -v "$2" >/dev/null || { echo "$2 is not found in $PATH" >&2; exit 127; } ;;
esac`;
const timeoutMs = 10_000;

/**
 * CONFIG_INVALID for a command that certainly cannot run: a mistyped unlock is better found before the lock. Says
 * nothing about what is behind variables, or behind `sudo` and the like.
 */
export async function checkCommand(
  { run }: Command,
  options: {
    /** As the configuration calls it: `app.unlock`. */
    readonly key: string;
    readonly folder?: string | undefined;
    readonly env?: Readonly<Record<string, string>> | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<void> {
  const { key, folder = process.cwd(), env, signal } = options;
  const program = /^\s*([\w./+-]+)(?=\s|$)/.exec(run)?.[1] ?? '';
  const said = await new Promise<string | undefined>(resolve => {
    execFile(
      '/bin/sh',
      ['-c', script, 'sh', run, program],
      { cwd: folder, env: { ...process.env, ...env }, timeout: timeoutMs, ...(signal ? { signal } : {}) },
      (error, _, complaint) => resolve(error ? complaint.trim() || error.message : undefined),
    );
  });
  signal?.throwIfAborted();
  if (said === undefined) return;
  throw engineError('CONFIG_INVALID', `Cannot use ${key} (${run}): ${said}`, {
    remedy: `Mend it; commands run by /bin/sh in ${folder}. Nothing was locked.`,
  });
}
