import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { projectRoot } from '../helpers/project.ts';

/** How one test file went with a mutant. */
export interface MutantRun {
  readonly isCaught: boolean;
  /** Tests that ran, skipped ones not among them. */
  readonly ran: number;
  /** What the first test that failed says; empty where none did. */
  readonly says: string;
}

const register = join(projectRoot, 'dist/test/mutants/register.js');

/** Runs a test file under dist/, or one test of it, in a program of its own with a mutant. */
export async function runWithMutant(mutant: string, file: string, test?: string): Promise<MutantRun> {
  const pattern =
    test === undefined ? [] : [`--test-name-pattern=^${test.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`];
  const args = ['--import', register, '--test-reporter=tap', ...pattern, join(projectRoot, 'dist', file)];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, STILLPOINT_MUTANT: mutant },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let tap = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    tap += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { isCaught: code !== 0, ran: Number(/^# pass (\d+)/m.exec(tap)?.[1] ?? 0), says: firstFailure(tap) };
}

/** Runs a program under dist/ with a mutant; its exit code. What it prints goes where this process prints errors. */
export async function runProgramWithMutant(
  mutant: string,
  [file, ...args]: readonly string[],
): Promise<number | null> {
  const path = join(projectRoot, 'dist', file ?? '');
  const child = spawn(process.execPath, ['--import', register, path, ...args], {
    env: { ...process.env, STILLPOINT_MUTANT: mutant },
    stdio: ['ignore', 2, 2],
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return code;
}

const saysMax = 160;

/** The error of the first test that failed, in one line. Of a comparison: what was there and should not be. */
export function firstFailure(tap: string): string {
  const [, after] = /^ *not ok \d+ - .*\n([\s\S]*)/m.exec(tap) ?? [];
  if (after === undefined) return '';
  const [, inline, block] =
    /^ *error: (?:'(.*)'|\|-\n([\s\S]*?)\n *(?:code|name|expected|stack):)/m.exec(after) ?? [];
  const lines = (block ?? inline ?? '').split('\n').map(line => line.trim());
  const extra = lines.find(line => /^\+ +['"]/.test(line))?.replace(/^\+ +['"](.*?)['"],?$/, '$1');
  const text = extra ?? lines.filter(line => line !== '').join(' ');
  return text.length > saysMax ? `${text.slice(0, saysMax - 1)}…` : text;
}
