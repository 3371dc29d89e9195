import pg from 'pg';
import copyStreams from 'pg-copy-streams';

/** All rows of a table in heap order, as COPY text. */
export type TableRows = ReadonlyMap<string, Buffer>;

// Written down once more, so that a setting which the engine forgets shows.
const settings = `SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET extra_float_digits = 3;
  SET bytea_output = 'hex'; SET quote_all_identifiers = off; SET search_path = ''; SET synchronize_seqscans = off; SET max_parallel_workers_per_gather = 0;
  SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off`;

const tablesSql = `
  SELECT n.nspname || '.' || c.relname AS name, format('%I.%I', n.nspname, c.relname) AS sql,
    ARRAY(SELECT quote_ident(attname) FROM pg_catalog.pg_attribute
      WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum) AS columns
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND (c.relname = 'pg_largeobject'
    OR n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND objid = c.oid AND deptype = 'e'))
  ORDER BY 1`;

/** Whoever may not read the pages of large objects reads the objects, a call for each page: holes are zeros then. */
export const largeObjectsByCalls = 'pg_catalog.pg_largeobject by calls';
const callsSql = `SELECT m.oid, p.page, pg_catalog.lo_get(m.oid, p.page * 2048, 2048)
  FROM pg_catalog.pg_largeobject_metadata m,
    LATERAL (SELECT max(l.pageno)::int8 AS last FROM pg_catalog.pg_largeobject l WHERE l.loid = m.oid) e,
    LATERAL pg_catalog.generate_series(0::int8, e.last) p (page) ORDER BY 1, 2`;

/** Values of sequences now: read where nothing has happened since the pin, since they are part of no snapshot. */
export async function readSequences(url: string): Promise<Map<string, string>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const names = await client.query<{ name: string; sql: string }>(`
      SELECT n.nspname || '.' || c.relname AS name, format('%I.%I', n.nspname, c.relname) AS sql
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'S' AND c.relpersistence <> 't' ORDER BY 1`);
    const values = new Map<string, string>();
    for (const { name, sql } of names.rows) {
      const { rows } = await client.query(`SELECT last_value || ' ' || is_called AS value FROM ${sql}`);
      values.set(name, (rows as { value: string }[])[0]!.value);
    }
    return values;
  } finally {
    await client.end();
  }
}

/** What a full copy reads at a snapshot that another session exported; without the tables of extensions. */
export async function readTruth(url: string, exportedSnapshot: string): Promise<TableRows> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(settings);
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await client.query(`SET TRANSACTION SNAPSHOT '${exportedSnapshot}'`);
    const { rows } = await client.query<{ name: string; sql: string; columns: string[] }>(tablesSql);
    const tables = new Map<string, Buffer>();
    for (const { name, sql, columns } of rows) {
      tables.set(name, await copy(client, `SELECT ${columns.join(', ')} FROM ONLY ${sql}`));
    }
    tables.set(largeObjectsByCalls, await copy(client, callsSql));
    await client.query('COMMIT');
    return tables;
  } finally {
    await client.end();
  }
}

async function copy(client: pg.Client, query: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  const stream = client.query(copyStreams.to(`COPY (${query}) TO STDOUT`));
  for await (const part of stream as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}
