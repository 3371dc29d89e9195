import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readResults, writeResults } from '../../bench/results.ts';
import { type FuzzOptions, fuzzRows } from '../../bench/rows/fuzz.ts';
import { kindsSince } from '../../bench/rows/minimise.ts';
import { recordResult } from '../faults/results.ts';
import { type GuardMutant, guardMutants } from '../mutants/guards.ts';
import { runProgramWithMutant } from '../mutants/run-test.ts';

/** What the first wrong backup of a run was. */
interface First {
  /** Incremental backups up to it. */
  readonly after: number;
  /** Absent: none was. */
  readonly what?: string;
  /** Of the events since the backup before it. */
  readonly kinds?: readonly string[];
}

/** As on the command line; each guard has so many backups and minutes. */
export interface SeekOptions {
  readonly server: string;
  readonly seed: string;
  readonly runs: string;
  readonly minutes: string;
  /** Undefined: all that random changes must show. */
  readonly without: readonly string[] | undefined;
  readonly say: (text: string) => void;
}

/** Each guard in turn, taken out: the same seeds until a backup is wrong. */
export async function seekGuards(options: SeekOptions): Promise<{ readonly isRight: boolean }> {
  const startMs = performance.now();
  const found: Record<string, First> = {};
  for (const { name } of wantedGuards(options.without)) {
    const first = await firstWithout(name, options);
    found[name] = first;
    const isFound = first.what !== undefined;
    const verdict = isFound ? `ok   in backup ${first.after}` : `BAD  not found in ${first.after}`;
    const how = isFound ? `${first.what.slice(0, 90)}; after ${first.kinds?.join(', ')}` : '';
    options.say(`${verdict.padEnd(24)} ${name.padEnd(42)} ${how}`);
  }
  const missed = Object.values(found).filter(({ what }) => what === undefined).length;
  if (options.without === undefined)
    record(found, { ...options, missed, seconds: (performance.now() - startMs) / 1000 });
  return { isRight: missed === 0 };
}

function wantedGuards(without: readonly string[] | undefined): readonly GuardMutant[] {
  if (without === undefined) return guardMutants.filter(guard => guard.notByFuzz === undefined);
  return without.map(name => {
    const guard = guardMutants.find(one => one.name === name);
    if (guard === undefined) throw new Error(`Cannot take out ${name}: there is no such guard`);
    return guard;
  });
}

async function firstWithout(name: string, { server, seed, runs, minutes }: SeekOptions): Promise<First> {
  const file = join(tmpdir(), `stillpoint-fuzz-${process.pid}.json`);
  const args = ['--first', file, '--server', server, '--seed', seed, '--runs', runs, '--minutes', minutes];
  const code = await runProgramWithMutant(name, ['test/rows/fuzz-main.js', ...args]);
  if (code !== 0) throw new Error(`Cannot seek what "${name}" does: the run ended with ${code}`);
  const first: First = JSON.parse(readFileSync(file, 'utf8'));
  rmSync(file);
  return first;
}

/** In the program that has a guard less: writes the first wrong backup, or that there was none. */
export async function seekFirst(
  file: string,
  options: Pick<FuzzOptions, 'server' | 'seed' | 'runs' | 'isOver'>,
): Promise<void> {
  const totals = await fuzzRows({ ...options, variant: 'xmin', untilWrong: true });
  const [wrong] = totals.wrong;
  const first: First = {
    after: totals.backups.incremental,
    ...(wrong && { what: wrong.what[0] ?? '', kinds: kindsSince(wrong.rounds) }),
  };
  writeFileSync(file, JSON.stringify(first));
}

function record(
  found: Readonly<Record<string, First>>,
  run: SeekOptions & { readonly missed: number; readonly seconds: number },
): void {
  const { server, seed, runs, missed, seconds } = run;
  run.say(writeResults('fuzz-rows', { ...readResults('fuzz-rows'), guards: { server, seed, found } }));
  const all = Object.values(found);
  recordResult({
    figure: 'guards of the copy of rows, taken out, that random changes must show: not found',
    ci: '1',
    release: 'all',
    reached: all.length,
    wrong: missed,
    what: `the latest in backup ${Math.max(...all.map(one => one.after))}, ${all.filter(one => one.after <= 20).length} within 20`,
    command: `npm run bench:fuzz-rows -- --guards --server ${server} --runs ${runs}`,
    seed,
    seconds,
  });
}
