import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Dump {
  /** Statements with the comments before them, sorted. */
  readonly schema: readonly string[];
  /** Lines of rows, sequences and large objects, sorted: tables have no order of their own. */
  readonly data: readonly string[];
}

/** What pg_dump says of a database, in an order that does not depend on oids. */
export async function dumpDatabase(pgDump: string, url: string): Promise<Dump> {
  const [schema, data] = await Promise.all(
    ['--schema-only', '--data-only'].map(one => run(join(pgDump, 'pg_dump'), [one, url], { maxBuffer: 1e9 })),
  );
  const bare = (text: string): string => text.replace(/^\\(un)?restrict .*$/gm, '');
  return {
    schema: bare(schema!.stdout)
      .split(/\n\n--\n-- /)
      .map(one => one.trim())
      .sort(),
    data: bare(data!.stdout).split('\n').sort(),
  };
}

/** Brings a database into an empty one by pg_dump and psql alone, as far as they can. */
export async function copyByPgDump(
  clientDir: string,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<void> {
  const { stdout } = await run(join(clientDir, 'pg_dump'), [from], { maxBuffer: 1e9 });
  const child = spawn(join(clientDir, 'psql'), ['-X', '-q', '-d', to], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.stdin.end(stdout);
  await once(child, 'close');
}

/** Lines that only one of them has. */
export function compareDumps(expected: Dump, found: Dump): string[] {
  return (['schema', 'data'] as const).flatMap(kind => {
    const [left, right] = [countOf(expected[kind]), countOf(found[kind])];
    const of = (a: Map<string, number>, b: Map<string, number>, sign: string): string[] =>
      [...a]
        .filter(([line, count]) => count > (b.get(line) ?? 0))
        .map(([line]) => `${sign} pg_dump ${kind}: ${line}`);
    return [...of(left, right, '-'), ...of(right, left, '+')];
  });
}

function countOf(lines: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}
