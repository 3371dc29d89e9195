import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { commandNamed } from '../../cli/program/commands/index.ts';
import { exitCodesOf } from '../../cli/program/describe.ts';
import { run } from '../../cli/run.ts';
import type { RunOptions } from '../../cli/run-options.ts';
import type { BackupSeams, DoctorSeams } from '../../engine/index.ts';
import type { Kdf, Seams } from '../../store/index.ts';

/** The compiled programs: the real one, and the same one with a test's seams. */
export const programs = {
  stillpoint: fileURLToPath(new URL('../../program/main.js', import.meta.url)),
  weakened: fileURLToPath(new URL('./weakened-main.js', import.meta.url)),
  stopping: fileURLToPath(new URL('./stopping-main.js', import.meta.url)),
} as const;

export interface Ended {
  /** null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The lines of stdout that are JSON, in order. */
  readonly json: readonly Record<string, unknown>[];
}

/** A program under way. */
export interface Running {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** Resolves when stdout has this line; rejects when the program ends without it. */
  hasSaid(line: string): Promise<void>;
  /** Writes a line to its stdin. */
  tell(line: string): void;
  /** Nothing happens when it has ended. */
  kill(signal: NodeJS.Signals): void;
}

export interface StartOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly program?: keyof typeof programs;
  /** Another compiled program in its place, such as one with a test's seams. */
  readonly file?: string;
  /** A command with its arguments that runs the program, such as a tracer. */
  readonly under?: readonly string[];
}

/** Starts the program as its own process, with nothing of this process's environment but the PATH. */
export function startProgram(args: readonly string[], options: StartOptions): Running {
  const file = options.file ?? programs[options.program ?? 'stillpoint'];
  const [command, ...rest] = [...(options.under ?? []), process.execPath, file, ...args] as [
    string,
    ...string[],
  ];
  const child = spawn(command, rest, {
    cwd: options.cwd,
    env: { PATH: process.env['PATH'] ?? '', HOME: join(options.cwd, 'user'), ...options.env },
    stdio: 'pipe',
  });
  let stdout = '';
  let stderr = '';
  child.stdin.on('error', () => undefined); // it ended without having read what it was told
  child.stdout.setEncoding('utf8').on('data', text => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', code => {
      try {
        assertTold(args, code);
        resolve({ code, stdout, stderr, json: jsonLines(stdout) });
      } catch (error) {
        reject(error);
      }
    });
  });
  ended.catch(() => undefined); // whoever waits for it hears of it
  return {
    pid: child.pid ?? 0,
    ended,
    async hasSaid(line) {
      let hasEnded = false;
      const end = ended.then(() => {
        hasEnded = true;
      });
      while (!`\n${stdout}`.includes(`\n${line}\n`)) {
        if (hasEnded) throw new Error(`The program ended without saying "${line}": ${stderr || stdout}`);
        await Promise.race([end, new Promise(resolve => child.stdout.once('data', resolve))]);
      }
    },
    tell: line => void child.stdin.write(`${line}\n`),
    kill: signal => void child.kill(signal),
  };
}

/** Runs the program in this process, three times as fast: for what it answers, not for how it lives and dies. */
export async function runHere(
  args: readonly string[],
  options: Pick<StartOptions, 'env' | 'cwd'> & {
    readonly seams?: Seams;
    readonly backupSeams?: BackupSeams;
    readonly doctorSeams?: DoctorSeams;
    readonly kdf?: Kdf;
    readonly terminal?: NonNullable<RunOptions['terminal']>;
  },
): Promise<Ended> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const pieces = [stdout, stderr].map(stream => {
    const read: Buffer[] = [];
    stream.on('data', (piece: Buffer) => read.push(piece));
    return read;
  });
  const env = { HOME: join(options.cwd, 'user'), ...options.env };
  const code = await run({ ...options, argv: args, env, stdout, stderr });
  assertTold(args, code);
  await new Promise(resolve => setImmediate(resolve)); // what was written last is on its way
  const [out, err] = pieces.map(read => Buffer.concat(read).toString('utf8')) as [string, string];
  return { code, stdout: out, stderr: err, json: jsonLines(out) };
}

/** Whatever a test is about: the help of a command tells all that it can end with. */
function assertTold(args: readonly string[], code: number | null): void {
  const command = commandNamed(args[0] ?? '');
  if (!command || code === null || exitCodesOf(command).includes(code)) return;
  throw new Error(`stillpoint ${args.join(' ')} ended with ${code}, which its help does not tell`);
}

/** A line that the end cut short is left out. */
function jsonLines(stdout: string): Record<string, unknown>[] {
  return stdout
    .split('\n')
    .slice(0, -1)
    .filter(line => line.startsWith('{"'))
    .map(line => JSON.parse(line) as Record<string, unknown>);
}
