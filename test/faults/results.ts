import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../helpers/project.ts';

/** A line of the table of figures. Cells hold no `|`. */
export interface ResultRow {
  /** What was counted; a later row of the same figure takes the place of an earlier one. */
  readonly figure: string;
  /** What each CI run, and what a release should reach. */
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
const begin = '<!-- figures: written by the suites -->';
const end = '<!-- what follows is kept by hand -->';
const columns = [
  'Figure',
  'CI run',
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
 * something wrong. Whether it was written.
 */
export function recordResult(row: ResultRow): boolean {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const rows = new Map(rowsOf(text).map(cells => [cells[0]!, cells]));
  const known = rows.get(row.figure);
  const isBetter = known && Number(known[3]?.replaceAll(',', '')) > row.reached && known[4] === '0';
  if (isBetter && row.wrong === 0) return false;
  rows.set(row.figure, cellsOf(row));
  writeFileSync(file, withTable(text, [...rows.values()]));
  return true;
}

function rowsOf(text: string): string[][] {
  const [, after = ''] = text.split(begin);
  const [table = ''] = after.split(end);
  return table
    .split('\n')
    .filter(line => line.startsWith('| '))
    .map(line =>
      line
        .split('|')
        .slice(1, -1)
        .map(cell => cell.trim()),
    )
    .slice(1); // below its head
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

function withTable(text: string, rows: readonly string[][]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const table = [line(columns), `|${columns.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
  const [before = '', after = ''] = text.split(begin);
  const [, byHand = ''] = after.split(end);
  return `${before}${begin}\n\n${table}\n\n${end}${byHand}`;
}
