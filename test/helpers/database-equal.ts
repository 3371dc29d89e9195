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
    const rows: Record<string, string> = {};
    const tables = (await client.query<{ name: string; only: string }>(tablesQuery)).rows;
    for (const { name, only } of tables) {
      const { rows: sums } = await client.query<{ sum: string }>(
        `SELECT count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0) AS sum FROM ${only}${name} t`,
      );
      rows[name] = sums[0]!.sum;
    }
    return { catalogs, rows };
  } finally {
    await client.end();
  }
}

/** Fails unless both hold the same definitions, rows, sequences and large objects. `pgDump`: a folder with pg_dump. */
export async function assertDatabasesEqual(
  urlA: string,
  urlB: string,
  options: { readonly pgDump?: string | null } = {},
): Promise<void> {
  assertDescriptionsEqual(await describeDatabase(urlA), await describeDatabase(urlB));
  if (!options.pgDump) return;
  const tool = join(options.pgDump, 'pg_dump');
  assert.equal(await dumpSchema(tool, urlB), await dumpSchema(tool, urlA));
}

/** The same for one that was described before it was lost. */
export function assertDescriptionsEqual(expected: DatabaseDescription, found: DatabaseDescription): void {
  for (const [name, rows] of Object.entries(expected.catalogs)) {
    const others = found.catalogs[name] ?? [];
    const lacking = rows.filter(row => !others.includes(row));
    const extra = others.filter(row => !rows.includes(row));
    assert.deepEqual({ [name]: { lacking, extra } }, { [name]: { lacking: [], extra: [] } });
  }
  assert.deepEqual(found.rows, expected.rows);
}

async function dumpSchema(tool: string, url: string): Promise<string> {
  const { stdout } = await run(tool, ['--schema-only', url], { maxBuffer: 1e9 });
  return stdout.replace(/^\\(un)?restrict .*$/gm, '');
}
