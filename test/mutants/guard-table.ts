import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../helpers/project.ts';
import { readTable, withWrittenTable } from '../helpers/written-table.ts';
import { guardMutants } from './guards.ts';

const file = join(projectRoot, 'test/mutants/GUARDS.md');
const place = {
  begin: '<!-- guards: written by npm run mutants -->',
  end: '<!-- what follows is kept by hand -->',
};
const columns = ['Event', 'Guard', 'Test', 'Without it (`npm run mutants`)', 'the test says'];

/** Writes the table: a row for each guard, with what its test said where it was taken out; what is not told stays. */
export function writeGuards(failures: ReadonlyMap<string, string>): void {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const known = new Map(readTable(text, place).map(cells => [cells[3], cells[4]]));
  const rows = guardMutants.map(({ event, guard, test, caughtBy, name, breaks }) => {
    const mutant = `${name}: ${breaks}`;
    const where = String(caughtBy).replace('.js', '.ts').replace('test/engine/database/postgres/', '');
    const says = failures.get(name) ?? known.get(cell(mutant)) ?? '';
    return [event, guard, `${where}: ${test}`, mutant, says].map(cell);
  });
  writeFileSync(file, withWrittenTable(text, { ...place, columns, rows }));
}

function cell(text: string): string {
  return text.replaceAll('|', '/').replaceAll('\n', ' ').trim();
}
