import pg from 'pg';

/** One state of the measured table: what is done to get there from the one before. */
export interface State {
  readonly name: string;
  readonly statements: (rows: number) => readonly string[];
}

/** About 200 bytes a row in the heap: 5 million are 977 MB. Half of the text does not compress well. */
const createSql = (rows: number): string[] => [
  'CREATE TABLE account (id bigint, balance bigint, name text, note text, changed_at timestamptz)',
  insertSql(1, rows),
  'ALTER TABLE account ADD PRIMARY KEY (id)',
  'VACUUM (ANALYZE) account',
  'CHECKPOINT',
];

function insertSql(first: number, last: number): string {
  return `INSERT INTO account SELECT i, (i * 7919) % 1000003, 'customer ' || i,
    md5(i::text) || ' ' || md5((i * 31)::text) || ' and then a sentence that says the same in every row of it',
    '2026-01-01'::timestamptz + i * interval '1 second' FROM generate_series(${first}::bigint, ${last}) i`;
}

/** Rows all over the table, by a hash of a counter. */
function updateSql(rows: number, share: number, salt: number): string {
  return `UPDATE account SET balance = balance + 1, changed_at = changed_at + interval '1 day'
    WHERE id IN (SELECT 1 + abs(hashint8extended(i, ${salt})) % ${rows} FROM generate_series(1, ${Math.round(rows * share)}) i)`;
}

/** In this order, each on top of the one before. */
export const states: readonly State[] = [
  { name: 'first copy', statements: createSql },
  { name: 'unchanged', statements: () => [] },
  { name: '0.1 % random updates', statements: rows => [updateSql(rows, 0.001, 1)] },
  { name: '1 % random updates', statements: rows => [updateSql(rows, 0.01, 2)] },
  {
    name: '5 % deleted, VACUUM, inserted again',
    statements: rows => [
      'DELETE FROM account WHERE abs(hashint8extended(id, 3)) % 20 = 0',
      'VACUUM account',
      insertSql(rows + 1, rows + Math.round(rows / 20)),
    ],
  },
  // Most chunks hold some of the rows that went or came, so most are new; the second time the same rows come in the same order.
  { name: 'VACUUM FULL', statements: () => ['VACUUM FULL account'] },
  { name: 'VACUUM FULL again', statements: () => ['VACUUM FULL account'] },
];

export async function runStatements(url: string, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const sql of statements) await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Bytes of the table's heap, and of all of it. */
export async function readSizes(url: string): Promise<{ heapBytes: number; totalBytes: number }> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ heap: string; total: string }>(
      "SELECT pg_relation_size('account') AS heap, pg_total_relation_size('account') AS total",
    );
    return { heapBytes: Number(rows[0]!.heap), totalBytes: Number(rows[0]!.total) };
  } finally {
    await client.end();
  }
}
