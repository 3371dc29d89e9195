import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { catalogQueries, tablesQuery } from './database-queries.ts';

export interface DatabaseDescription {
  /** Rows of each catalog query, as text, sorted. */
  readonly catalogs: Readonly<Record<string, readonly string[]>>;
  /** `count sum` of each table, in which sum adds up a hash of every row. */
  readonly rows: Readonly<Record<string, string>>;
  /** The same of materialized views: a restore fills them anew, so that stale ones differ. */
  readonly materialized: Readonly<Record<string, string>>;
}

export interface EqualOptions {
  /** A folder with pg_dump. */
  readonly pgDump?: string | null;
  /** Compare what materialized views hold, too: they were not stale. */
  readonly materialized?: boolean;
}

const run = promisify(execFile);

/** Describes a database by nothing but its own catalogs and rows, so that two of them can be compared. */
export async function describeDatabase(url: string): Promise<DatabaseDescription> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ;
      SET LOCAL search_path = pg_catalog; SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD';
      SET LOCAL intervalstyle = 'postgres'; SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex'`);
    const catalogs: Record<string, string[]> = {};
    for (const [name, sql] of Object.entries(catalogQueries)) {
      const { rows } = await client.query({ text: sql, rowMode: 'array' });
      catalogs[name] = rows.map(row => JSON.stringify(row)).sort();
    }
    const sums = { rows: {} as Record<string, string>, materialized: {} as Record<string, string> };
    const tables = (await client.query<{ name: string; kind: string }>(tablesQuery)).rows;
    for (const { name, kind } of tables) {
      const only = kind === 'r' ? 'ONLY ' : '';
      const { rows } = await client.query<{ sum: string }>(
        `SELECT count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0) AS sum FROM ${only}${name} t`,
      );
      sums[kind === 'm' ? 'materialized' : 'rows'][name] = rows[0]!.sum;
    }
    return { catalogs, ...sums };
  } finally {
    await client.end();
  }
}

/** Fails unless both hold the same definitions, rows, sequences and large objects. */
export async function assertDatabasesEqual(
  urlA: string,
  urlB: string,
  options: EqualOptions = {},
): Promise<void> {
  assertDescriptionsEqual(await describeDatabase(urlA), await describeDatabase(urlB), options);
  if (!options.pgDump) return;
  const tool = join(options.pgDump, 'pg_dump');
  assert.equal(await dumpSchema(tool, urlB), await dumpSchema(tool, urlA));
  assert.deepEqual(await dumpSortedRows(tool, urlB), await dumpSortedRows(tool, urlA));
}

/** The same for one that was described before it was lost. */
export function assertDescriptionsEqual(
  expected: DatabaseDescription,
  found: DatabaseDescription,
  options: EqualOptions = {},
): void {
  for (const [name, rows] of Object.entries(expected.catalogs)) {
    const others = found.catalogs[name] ?? [];
    const lacking = rows.filter(row => !others.includes(row));
    const extra = others.filter(row => !rows.includes(row));
    assert.deepEqual({ [name]: { lacking, extra } }, { [name]: { lacking: [], extra: [] } });
  }
  assert.deepEqual(found.rows, expected.rows);
  if (options.materialized) assert.deepEqual(found.materialized, expected.materialized);
}

async function dumpSchema(tool: string, url: string): Promise<string> {
  const { stdout } = await run(tool, ['--schema-only', url], { maxBuffer: 1e9 });
  return stdout.replace(/^\\(un)?restrict .*$/gm, '');
}

/** The lines of all rows, large objects and sequences; tables have no order of their own. */
async function dumpSortedRows(tool: string, url: string): Promise<string[]> {
  const { stdout } = await run(tool, ['--data-only', url], { maxBuffer: 1e9 });
  return stdout
    .split('\n')
    .filter(line => !/^\\(un)?restrict /.test(line))
    .sort();
}
