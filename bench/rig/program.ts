import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The compiled programs: the real one, and the same one weakened through a test seam. */
export const programs = {
  stillpoint: fileURLToPath(new URL('../../cli/main.js', import.meta.url)),
  weakened: fileURLToPath(new URL('./weakened-main.js', import.meta.url)),
} as const;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The lines of stdout that are JSON, in order. */
  readonly json: readonly Record<string, unknown>[];
}

export interface StartOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly program?: keyof typeof programs;
}

/** Runs the program as its own process and waits for its end; never throws for what it ends with. */
export async function runProgram(args: readonly string[], options: StartOptions): Promise<Ended> {
  const file = programs[options.program ?? 'stillpoint'];
  const child = spawn(process.execPath, [file, ...args], {
    cwd: options.cwd,
    env: { PATH: process.env['PATH'] ?? '', HOME: join(options.cwd, 'user'), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', text => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const json = stdout
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line) as Record<string, unknown>);
  return { code, stdout, stderr, json };
}
