import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What one run of a program took, with the processes that it waited for. */
export interface Cost {
  readonly seconds: number;
  /** Of all processors together; null where nothing on the machine can tell. */
  readonly cpuSeconds: number | null;
  /** The largest of its processes, resident. */
  readonly peakBytes: number | null;
}

export interface RunOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Exit codes that count as well; 0 unless given. */
  readonly accepted?: readonly number[];
}

const timer = '/usr/bin/time';

/** Runs a program to its end, and says what it cost. Fails with what it said when it ends badly. */
export async function costOf(
  [command, ...args]: readonly [string, ...string[]],
  { cwd, env = {}, accepted = [0] }: RunOptions,
): Promise<Cost & { readonly stdout: string }> {
  const isTimed = existsSync(timer);
  const scratch = isTimed ? mkdtempSync(join(tmpdir(), 'stillpoint-time-')) : undefined;
  const report = scratch && join(scratch, 'report');
  const [program, ...rest] = report
    ? [timer, '-f', '%U %S %M', '-o', report, command, ...args]
    : [command, ...args];
  try {
    const startedMs = performance.now();
    const child = spawn(program, rest, {
      cwd,
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: join(tmpdir(), 'stillpoint-no-home'),
        LC_ALL: 'C',
        ...env,
      },
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
    const seconds = (performance.now() - startedMs) / 1000;
    if (code === null || !accepted.includes(code))
      throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${(stderr || stdout).slice(-2000)}`);
    return { seconds, ...usage(report), stdout };
  } finally {
    if (scratch) rmSync(scratch, { recursive: true, force: true });
  }
}

/** One after the other, as one. */
export function together(costs: readonly Cost[]): Cost {
  const cpu = costs.map(cost => cost.cpuSeconds);
  const peaks = costs.map(cost => cost.peakBytes);
  return {
    seconds: sum(costs.map(cost => cost.seconds)),
    cpuSeconds: cpu.includes(null) ? null : sum(cpu as number[]),
    peakBytes: peaks.includes(null) ? null : Math.max(...(peaks as number[])),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}

function usage(report: string | undefined): Pick<Cost, 'cpuSeconds' | 'peakBytes'> {
  const line = report === undefined ? undefined : readFileSync(report, 'utf8').trim().split('\n').at(-1);
  const [user, system, kibibytes] = (line ?? '').split(' ').map(Number);
  if (user === undefined || system === undefined || kibibytes === undefined)
    return { cpuSeconds: null, peakBytes: null };
  return { cpuSeconds: user + system, peakBytes: kibibytes * 1024 };
}
