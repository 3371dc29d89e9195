import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { chances } from '../helpers/interleaved.ts';

/** What a suite may spend, and where it begins. */
export interface SuiteOptions {
  /** Names every choice that a suite makes. */
  readonly seed: number;
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

/** A figure that is published: how many points each CI run and a release should reach. */
export interface Figure {
  readonly name: string;
  readonly ci: string;
  readonly release: string;
}

/** Counts the points of one figure, and what went wrong at them. */
export class Tally {
  readonly figure: string;
  readonly wrong: string[] = [];
  readonly #kinds = new Map<string, number>();
  readonly #startMs = performance.now();
  #points = 0;
  /** What could not be tried here, and why. */
  skipped: string | undefined;
  /** What a person should know beside the count. */
  remark = '';

  constructor(figure: string) {
    this.figure = figure;
  }

  get points(): number {
    return this.#points;
  }

  get seconds(): number {
    return (performance.now() - this.#startMs) / 1000;
  }

  /** Such as "612 backup, 401 prune". */
  get kinds(): string {
    return [...this.#kinds].map(([kind, count]) => `${count} ${kind}`).join(', ');
  }

  /** One point more; `problem` says what is wrong there, with all that brings it back. */
  add(kind: string, problem?: string | undefined): void {
    this.#points += 1;
    this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1);
    if (problem !== undefined) this.wrong.push(`${kind}: ${problem}`);
  }

  /** Whether the suite has had what it may spend; many failures are enough, too. */
  isOver({ pointsMax, endMs }: SuiteOptions): boolean {
    return this.#points >= pointsMax || performance.now() >= endMs || this.wrong.length >= 20;
  }
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

/** A part of what may still be spent. */
export function shareOf(options: SuiteOptions, { share }: { readonly share: number }): SuiteOptions {
  const nowMs = performance.now();
  const endMs = nowMs + (options.endMs - nowMs) * share;
  return { ...options, pointsMax: Math.ceil(options.pointsMax * share), endMs };
}

/** Adds what processes come to, where they can run. */
export async function withProcesses(
  tally: Tally,
  options: SuiteOptions,
  run: (
    tally: Tally,
    options: SuiteOptions,
  ) => Promise<{ readonly skipped?: string; readonly remark: string }>,
): Promise<void> {
  if (options.isShort) return;
  const { skipped, remark } = await run(tally, options);
  tally.skipped = skipped;
  tally.remark = [tally.remark, remark].filter(Boolean).join('; ');
}
