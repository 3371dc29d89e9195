import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';

/** What a home and a database were at one instant, by nothing but their own files and rows: a line for each. */
export type Reference = ReadonlyMap<string, string>;

/** What no backup of the stand-in takes; and its log, which is written while a backup runs. */
const left = new Set([
  ...['caches', 'export', 'plugins/.osgi-cache', 'shared/plugins/.bundled', 'shared/search/data', 'tmp'],
  ...['.lock', 'shared/.lock', 'log/atlassian-bitbucket.log'],
]);

/** Describes both halves. Nothing may write meanwhile. */
export async function takeReference(home: string, databaseUrl: string): Promise<Reference> {
  const lines = new Map<string, string>();
  describeFolder(home, '', lines);
  await describeDatabase(databaseUrl, lines);
  return lines;
}

/** What differs, a line each. */
export function differences(expected: Reference, found: Reference): string[] {
  const names = [...new Set([...expected.keys(), ...found.keys()])].sort();
  return names
    .filter(name => expected.get(name) !== found.get(name))
    .map(name => `${name}: ${found.get(name) ?? 'not there'}, was ${expected.get(name) ?? 'not there'}`);
}

function describeFolder(root: string, path: string, lines: Map<string, string>): void {
  for (const name of readdirSync(join(root, path))) {
    const below = path === '' ? name : `${path}/${name}`;
    if (left.has(below)) continue;
    const full = join(root, below);
    const stats = lstatSync(full, { bigint: true });
    const facts = [stats.mode.toString(8), `${stats.uid}:${stats.gid}`, stats.mtimeNs];
    if (stats.isFile()) facts.push(createHash('sha256').update(readFileSync(full)).digest('hex'));
    if (stats.isSymbolicLink()) facts.push(readlinkSync(full));
    lines.set(`home ${below}`, facts.join(' '));
    if (stats.isDirectory()) describeFolder(root, below, lines);
  }
}

const userSchemas = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;

/** Of whole partitioned tables rather than partitions: which rows are in which may differ between servers. */
const tables = `SELECT format('%I.%I', nspname, relname) AS name, relkind AS kind,
    (SELECT string_agg(format('%s %s %s', attname, format_type(atttypid, atttypmod), attnotnull), ', ' ORDER BY attnum)
     FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns
  FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
  WHERE ${userSchemas} AND NOT relispartition AND relkind IN ('r', 'p', 'v')`;

const singles: Readonly<Record<string, string>> = {
  sequence: `SELECT format('%I.%I', schemaname, sequencename) AS name, coalesce(last_value::text, 'unused') AS value FROM pg_sequences`,
  index: `SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS value
    FROM pg_index i JOIN pg_class c ON c.oid = indrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE ${userSchemas}`,
  constraint: `SELECT conrelid::regclass || ' ' || conname AS name, pg_get_constraintdef(o.oid) AS value
    FROM pg_constraint o JOIN pg_namespace n ON n.oid = connamespace WHERE ${userSchemas}`,
  'large object': 'SELECT oid::text AS name, md5(lo_get(oid)) AS value FROM pg_largeobject_metadata',
};

async function describeDatabase(url: string, lines: Map<string, string>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL search_path = pg_catalog;
      SET LOCAL timezone = 'UTC'; SET LOCAL extra_float_digits = 3`);
    const found = await client.query<{ name: string; kind: string; columns: string }>(tables);
    for (const { name, kind, columns } of found.rows) {
      lines.set(`columns ${name}`, columns);
      if (kind === 'v') continue;
      const { rows } = await client.query<{ sum: string }>(
        `SELECT count(*) || ' rows, ' || coalesce(sum(hashtextextended(t::text, 0)), 0) AS sum
         FROM ${kind === 'r' ? 'ONLY ' : ''}${name} t`,
      );
      lines.set(`rows ${name}`, rows[0]?.sum ?? '');
    }
    for (const [what, sql] of Object.entries(singles)) {
      const { rows } = await client.query<{ name: string; value: string }>(sql);
      for (const { name, value } of rows) lines.set(`${what} ${name}`, value);
    }
  } finally {
    await client.end();
  }
}
