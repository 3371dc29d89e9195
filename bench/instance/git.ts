import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { buffer, text } from 'node:stream/consumers';

/** Git as a server runs it: nobody's configuration, no prompt, any owner. */
export function gitEnvironment(): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    LC_ALL: 'C',
    HOME: '/nonexistent',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_COUNT: '2',
    GIT_CONFIG_KEY_0: 'safe.directory',
    GIT_CONFIG_VALUE_0: '*',
    GIT_CONFIG_KEY_1: 'gc.auto',
    GIT_CONFIG_VALUE_1: '0',
  };
}

export interface GitResult {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs git to its end, whatever its exit code; 128 and more when a signal ended it. */
export async function runGit(
  args: readonly string[],
  options: { readonly cwd: string; readonly input?: string | Uint8Array },
): Promise<GitResult> {
  const child = spawn('git', args, { cwd: options.cwd, env: gitEnvironment(), stdio: 'pipe' });
  child.stdin.on('error', () => {}); // git may end before it has read everything; its exit code tells
  child.stdin.end(options.input ?? '');
  const [stdout, stderr, [code]] = await Promise.all([
    buffer(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { code: code ?? 128, stdout, stderr };
}

/** Runs git and returns what it printed; any other exit code than 0 is an error. */
export async function git(
  args: readonly string[],
  options: { readonly cwd: string; readonly input?: string | Uint8Array },
): Promise<string> {
  const { code, stdout, stderr } = await runGit(args, options);
  if (code !== 0) throw new Error(`Cannot run git ${args.join(' ')}: exit ${code}: ${stderr.trim()}`);
  return stdout.toString('utf8');
}

/** Feeds a bare repository's fast-import with what `produce` writes, piece by piece. */
export async function fastImport(
  cwd: string,
  produce: (write: (piece: string | Uint8Array) => Promise<void>) => Promise<void>,
  options: { readonly configuration?: readonly string[] } = {},
): Promise<void> {
  const configured = (options.configuration ?? []).flatMap(setting => ['-c', setting]);
  const child = spawn('git', [...configured, 'fast-import', '--quiet'], {
    cwd,
    env: gitEnvironment(),
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  await produce(async piece => {
    if (!child.stdin.write(piece)) await once(child.stdin, 'drain');
  });
  child.stdin.end();
  const [code] = await closed;
  if (code !== 0) throw new Error(`git fast-import in ${cwd} ended with ${code}`);
}
