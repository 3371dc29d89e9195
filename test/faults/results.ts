import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../helpers/project.ts';
import { readTable, withWrittenTable } from '../helpers/written-table.ts';

/** A line of the table of figures. Cells hold no `|`. */
export interface ResultRow {
  /** What was counted; a later row of the same figure takes the place of an earlier one. */
  readonly figure: string;
  /** What `npm test` takes, and what a release should reach. */
  readonly ci: string;
  readonly release: string;
  readonly reached: number;
  /** Losses, undetected flips, wrong endings: 0 is what is published. */
  readonly wrong: number;
  /** Such as how the points divide among commands. */
  readonly what: string;
  /** That brings it back. */
  readonly command: string;
  readonly seed: string;
  readonly seconds: number;
}

const file = join(projectRoot, 'test/faults/RESULTS.md');
const place = {
  begin: '<!-- figures: written by the suites -->',
  end: '<!-- what follows is kept by hand -->',
};
const columns = [
  'Figure',
  'npm test',
  'release',
  'reached',
  'wrong',
  'of them',
  'command',
  'seed',
  'seconds',
  'kernel',
  'node',
  'commit',
];

/**
 * Writes a row into RESULTS.md, and leaves all else there alone. A row that reached more stays, unless the new one found
 * something wrong. `adds`: to the row that is there, of other seeds. Whether it was written.
 */
export function recordResult(row: ResultRow, { adds = false }: { readonly adds?: boolean } = {}): boolean {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const rows = new Map(readTable(text, place).map(cells => [cells[0]!, cells]));
  const known = rows.get(row.figure);
  const isBetter = known && numberOf(known[3]) > row.reached && known[4] === '0';
  if (isBetter && row.wrong === 0 && !adds) return false;
  rows.set(row.figure, known && adds && hasSeeds(known) ? sumOf(known, cellsOf(row)) : cellsOf(row));
  writeFileSync(file, withWrittenTable(text, { ...place, columns, rows: [...rows.values()] }));
  return true;
}

/** The seed after the last of a figure's row; 1 where it does not tell, and then nothing is added to it. */
export function nextSeed(figure: string): number {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const known = readTable(text, place).find(([name]) => name === figure);
  if (known === undefined || !hasSeeds(known)) return 1;
  return Math.max(...[...known[seedColumn]!.matchAll(/\d+/g)].map(Number)) + 1;
}

const seedColumn = columns.indexOf('seed');

/** Whether it says which seeds it had, as in "1–57". */
function hasSeeds(cells: readonly string[]): boolean {
  return cells[seedColumn]?.includes('–') === true;
}

/** Counts are added; of what is no count both are kept where they differ. */
function sumOf(known: readonly string[], more: readonly string[]): string[] {
  return columns.map((column, at) => {
    const [one = '', other = ''] = [known[at], more[at]];
    if (column === 'reached' || column === 'wrong' || column === 'seconds')
      return (numberOf(one) + numberOf(other)).toLocaleString('en-US');
    if (column === 'of them') return addCounts(one, other);
    if (column === 'command' || column === 'seed' || column === 'commit')
      return [...new Set([...one.split(', '), ...other.split(', ')])].join(', ');
    return other;
  });
}

/** "2 backup, 1 prune; so it was" and "3 prune; so it was": "2 backup, 4 prune; so it was". */
export function addCounts(one: string, other: string): string {
  const counts = new Map<string, number | undefined>();
  const parts = [one, other].map(cell => cell.split('; '));
  const length = Math.max(...parts.map(({ length: count }) => count));
  const texts = Array.from({ length }, (_, at) => {
    counts.clear();
    for (const item of parts.flatMap(cell => cell[at]?.split(/, (?=[\d,]+ )/) ?? [])) {
      const [, digits, what = item] = /^([\d,]+) (.*)$/.exec(item) ?? [];
      counts.set(what, digits === undefined ? undefined : (counts.get(what) ?? 0) + numberOf(digits));
    }
    return [...counts].map(([what, count]) => (count === undefined ? what : `${count} ${what}`)).join(', ');
  });
  return texts.filter(Boolean).join('; ');
}

function numberOf(cell = '0'): number {
  return Number(cell.replaceAll(',', ''));
}

function cellsOf(row: ResultRow): string[] {
  const { figure, ci, release: goal, reached, wrong, what, command, seed, seconds } = row;
  const count = (value: number) => value.toLocaleString('en-US');
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
    cwd: projectRoot,
    encoding: 'utf8',
  });
  return [
    figure,
    ci,
    goal,
    count(reached),
    count(wrong),
    what,
    `\`${command}\``,
    seed,
    count(Math.round(seconds)),
    release(),
    process.version,
    commit.trim(),
  ].map(cell => cell.replaceAll('|', '/').replaceAll('\n', ' '));
}
