import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { chances } from '../helpers/interleaved.ts';
import type { Tally } from './tally.ts';

/** What a suite may spend, and where it begins. */
export interface SuiteOptions {
  /** The first store's; what is chosen on a store follows from its own seed. */
  readonly seed: number;
  /** The next store's is so much more: other processes have those between. Default 1. */
  readonly stride?: number;
  /** So many points at most. */
  readonly pointsMax: number;
  /** By `performance.now()`: no new point begins later. */
  readonly endMs: number;
  /** A part of a whole test run: no processes, no mounts. */
  readonly isShort?: boolean;
}

/** A suite of faults. Without a need that it has it cannot run, and says why. */
export interface Suite {
  readonly name: string;
  readonly about: string;
  /** Rows of the table of figures that it fills. */
  readonly figures: readonly Figure[];
  run(options: SuiteOptions): Promise<readonly Tally[]>;
}

/** A figure that is published: how many points `npm test` takes, and a release should reach. */
export interface Figure {
  readonly name: string;
  /** 0: it needs a machine of its own. */
  readonly ci: number;
  readonly release: string;
}

/** What an error says, in one line. */
export function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? `${String(error.code)} ` : '';
  const [first = '', ...rest] = error.message.split('\n');
  return `${code}${first}${rest.length > 0 ? ' …' : ''}`;
}

/** In an order that the seed gives. */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const chance = chances(seed);
  const order = [...items];
  for (let at = order.length - 1; at > 0; at--) {
    const other = Math.floor(chance() * (at + 1));
    [order[at], order[other]] = [order[other]!, order[at]!];
  }
  return order;
}

/** Where files need not wait for a disk; who dies does not take the machine with him. */
export const quickFolder = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Paths of files, relative to the folder. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => relative(folder, join(entry.parentPath, entry.name)));
}

/** A part of what may still be spent: of the points, and of the time. */
export function shareOf(
  options: SuiteOptions,
  { points, time }: { readonly points: number; readonly time: number },
): SuiteOptions {
  const nowMs = performance.now();
  const endMs = nowMs + (options.endMs - nowMs) * time;
  return { ...options, pointsMax: Math.ceil(options.pointsMax * points), endMs };
}

/** Seeds of stores, until the suite has had what it may spend; each is worth so many seeds. */
export function* seedsOf(
  tally: Tally,
  options: SuiteOptions,
  { each = 1 }: { readonly each?: number } = {},
): Generator<number> {
  const { seed: first, stride = 1 } = options;
  for (let seed = first; !tally.isOver(options); seed += each * stride) {
    tally.sawSeed(seed + each - 1);
    yield seed;
  }
}

/** Adds what processes come to, where they can run. */
export async function withProcesses(
  tally: Tally,
  options: SuiteOptions,
  run: (tally: Tally, options: SuiteOptions) => Promise<{ readonly skipped: string } | undefined>,
): Promise<void> {
  if (options.isShort) return;
  const result = await run(tally, options);
  if (result !== undefined) tally.skipped = result.skipped;
}
