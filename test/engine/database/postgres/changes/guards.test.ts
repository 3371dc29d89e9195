import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runHere } from '../../../../../bench/rig/index.ts';
import { fuzzSettings } from '../../../../../bench/rows/episode.ts';
import { availableServers, type PostgresServer, startServer } from '../../../../../bench/servers/index.ts';
import type { DatabaseAudit, DatabaseBase } from '../../../../../engine/database/index.ts';
import { isInReach } from '../../../../../engine/database/postgres/changes/advance-segment.ts';
import { loadBase } from '../../../../../engine/database/postgres/changes/base.ts';
import {
  decodeEntry,
  encodeRecordOfDatabase,
} from '../../../../../engine/database/postgres/entries/entry.ts';
import type { DatabaseRecord } from '../../../../../engine/database/postgres/entries/facts-entry.ts';
import type { BackupSeams } from '../../../../../engine/index.ts';
import { type Entry, ListingBuilder, type ListingRoot, readListing } from '../../../../../store/index.ts';
import { type MemoryChunks, memoryChunks } from '../../../../helpers/memory-chunks.ts';
import { cheapKdf } from '../../../../helpers/stores.ts';
import { openSession, sql } from '../on-servers.ts';
import { assertUnchanged, baseOf, type Increment, increment, memoryCache, segmentsOf } from './increments.ts';

// What gives silent wrong rows in a copy that trusts what it knows, one event a test. Each fails without its guard, which
// `npm run mutants` shows (test/mutants/guards.ts); the others of the table are in the files that it names.

const [found] = await availableServers();

/** Ten rows a block, all of a size: a table that is written anew in another order has as many in each. */
const rows = `SELECT i AS id, lpad(i::text, 700, 'x') AS k FROM generate_series(1, 200) i`;
const as = `AS ${rows}`;
const table = `CREATE TABLE t (id int PRIMARY KEY, k text) WITH (fillfactor = 80); INSERT INTO t ${rows};`;

describe(`PostgreSQL ${found?.version} (${found?.kind})`, () => {
  let server: PostgresServer | undefined;
  before(async () => {
    server = await startServer({ kind: found!.kind, major: found!.major, settings: fuzzSettings });
  });
  after(() => server?.stop());
  let databases = 0;
  const make = async (text: string): Promise<string> => {
    databases += 1;
    const url = await server!.createDatabase(`guard_${databases}`);
    await sql(url, text);
    return url;
  };
  /** A backup, what happens, and a backup that builds on it: it must hold what a whole copy holds. */
  const across = async (text: string, events: readonly (readonly string[])[]): Promise<void> => {
    const url = await make(text);
    const chunks = memoryChunks();
    let last = await increment(url, chunks, null, { pgDump: null });
    for (const event of events) {
      for (const statement of event) await sql(url, statement);
      last = await increment(url, chunks, last, { pgDump: null });
    }
  };

  test('what gives rows another meaning or another place, though they are as old and as many as they were', () =>
    across(
      `${table} CREATE TABLE clustered (id int PRIMARY KEY, k text); INSERT INTO clustered ${rows};
       CREATE INDEX backwards ON clustered (id DESC); CREATE TABLE emptied ${as};
       CREATE TABLE replaced ${as}; ALTER TABLE replaced ADD COLUMN late text DEFAULT 'first';
       CREATE TABLE cut ${as}; CREATE TABLE unlogged ${as}; CREATE TABLE gone ${as};
       CREATE TABLE typed AS SELECT i, '2026-01-01'::timestamp AS at FROM generate_series(1, 50) i;
       CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE DOMAIN felt AS mood; CREATE TYPE pair AS (m felt, n int);
       CREATE TABLE labels AS SELECT i, ARRAY[ROW('bad', i)::pair] AS p FROM generate_series(1, 50) i;
       CREATE TYPE wide AS (n int); CREATE TABLE attributes AS SELECT ROW(i)::wide AS w FROM generate_series(1, 50) i;
       CREATE TABLE named (a int); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
       CREATE TABLE names AS SELECT 'named'::regclass AS r, 'f'::regproc AS f;
       CREATE TABLE heir () INHERITS (t); INSERT INTO heir SELECT id + 1000, k FROM t`,
      [
        [
          `CLUSTER clustered USING backwards; TRUNCATE emptied; INSERT INTO emptied SELECT id + 1, k FROM t;
         ALTER TABLE replaced DROP COLUMN late; ALTER TABLE replaced ADD COLUMN late text DEFAULT 'second';
         ALTER TABLE unlogged SET UNLOGGED; DROP TABLE gone; CREATE TABLE gone AS SELECT id + 1 AS id, k FROM t;
         SET timezone = 'UTC'; ALTER TABLE typed ALTER at TYPE timestamptz`,
        ],
        [
          `ALTER TYPE mood RENAME VALUE 'bad' TO 'worse'; ALTER TYPE wide ADD ATTRIBUTE more text;
         ALTER TABLE named RENAME TO renamed; ALTER FUNCTION f RENAME TO g;
         UPDATE t SET k = lpad('changed', 690, 'y') WHERE id % 100 = 1; DELETE FROM ONLY t WHERE id = 7`,
          "DELETE FROM cut WHERE ctid >= '(9,0)'",
          'VACUUM cut',
        ],
      ],
    ));

  test('names of roles, in rows, of which no catalog of the database knows', async () => {
    await sql(server!.superuserUrl, 'CREATE ROLE first_name');
    const url = await make(
      "CREATE TABLE t AS SELECT 'first_name'::regrole AS r, makeaclitem('first_name'::regrole, 10, 'SELECT', false) AS a",
    );
    const chunks = memoryChunks();
    const first = await increment(url, chunks, null, { pgDump: null });
    await sql(url, 'ALTER ROLE first_name RENAME TO second_name');
    const second = await increment(url, chunks, first, { pgDump: null, precopy: 'all' });
    const afterPin = () => sql(url, 'ALTER ROLE second_name RENAME TO third_name');
    await assert.rejects(increment(url, chunks, second, { pgDump: null, afterPin }), {
      code: 'DATABASE_FAILED',
    });
  });

  test('sessions that begin with other settings', () =>
    across(
      `CREATE TABLE named (a int);
       CREATE TABLE t AS SELECT now() AS at, current_date AS d, '3 days 4 hours'::interval AS i, 0.1::float8 / 3 AS f,
         '\\xff00'::bytea AS b, 'named'::regclass AS r;
       DO $$ DECLARE one text; BEGIN FOREACH one IN ARRAY ARRAY['timezone = ''Asia/Tokyo''', 'datestyle = ''SQL, DMY''',
         'intervalstyle = iso_8601', 'extra_float_digits = -3', 'bytea_output = escape', 'quote_all_identifiers = on',
         'search_path = public'] LOOP EXECUTE format('ALTER DATABASE %I SET ', current_database()) || one; END LOOP; END $$`,
      [['UPDATE t SET f = 0.2::float8 / 3; INSERT INTO t SELECT * FROM t']],
    ));

  test('ids that went round: what lies further back than half of them is no base', async () => {
    const url = await make(table);
    const chunks = memoryChunks();
    const first = await increment(url, chunks, null, { pgDump: null });
    await sql(url, "UPDATE t SET k = lpad('changed', 690, 'y') WHERE id = 5");
    const { xmin, xmax } = first.result;
    const longAgo = { xmin: xmin - 2n ** 31n - 10n, xmax };
    const second = await increment(url, chunks, first, { pgDump: null, base: longAgo });
    assert.equal(second.result.changedSegments, second.result.segments);
    assert.deepEqual((await segmentsOf(chunks, second, 'public.t'))[0]!.deltas, []);
    assert.equal(isInReach(5n, 2n ** 31n), false);
    assert.equal(isInReach(5n, 2n ** 30n), true);
  });

  test('a row of 70 MB, and values that look like the end of something', () =>
    across(
      `CREATE TABLE t AS SELECT 1 AS id, repeat('0123456789', 7000000) AS k
         UNION ALL SELECT i, (ARRAY[E'\\n', E'\\\\', E'\\\\N', E'\\\\.', '', NULL])[i] FROM generate_series(1, 6) i;
       CREATE TABLE empty (a int); CREATE TABLE bare (); INSERT INTO bare SELECT FROM generate_series(1, 3)`,
      [],
    ));

  test('another server, another life of it, a base that was not published or is newer: nothing of it is used', async () => {
    const url = await make(table);
    const chunks = memoryChunks();
    const first = await increment(url, chunks, null, { pgDump: null, compare: false });
    const { xmin, xmax, lsn } = first.result;
    const facts = await factsOf(chunks, first);
    const isUsed = async (base: Partial<DatabaseBase>, now: Partial<DatabaseRecord> = {}) =>
      (await loadBase(
        { ...baseOf(chunks, first), ...base },
        { facts: { ...facts, ...now }, position: { xmin, xmax, lsn } },
      )) !== undefined;
    assert.equal(await isUsed({}), true);
    const bases = { publishable: false, lsn: 'FF/0', xmin: xmin + 1n, xmax: xmax + 1n };
    for (const [name, value] of Object.entries(bases))
      assert.equal(await isUsed({ [name]: value }), false, name);
    const servers = {
      ...{ systemIdentifier: 7n, timeline: 9, serverVersion: '14.0', startedAtUs: 7n, databaseOid: 7 },
      encoding: 'LATIN1',
    };
    for (const [name, value] of Object.entries(servers))
      assert.equal(await isUsed({}, { [name]: value }), false, name);
    const settings = [['timezone', 'Asia/Tokyo']] as const;
    assert.equal(await isUsed({ root: await withFacts(chunks, first, { settings }) }), false, 'settings');
  });

  /** A transaction that is open across one backup and committed before the next, which does not see it. */
  const openAcross = async (url: string, backUp: () => Promise<void>): Promise<void> => {
    const session = await openSession(url);
    await session.query("BEGIN; UPDATE t SET k = lpad('open', 700, 'y') WHERE id = 5");
    await sql(url, "UPDATE t SET k = lpad('closed', 700, 'y') WHERE id = 95");
    await backUp();
    await session.query('COMMIT');
    await session.end();
    await backUp();
  };
  const weakenedThreshold = (base: { readonly xmax: bigint }) => base.xmax;

  test('what was open across a base, and is committed then, in a block with as many rows as before', async () => {
    const url = await make(table);
    const chunks = memoryChunks();
    let last = await increment(url, chunks, null, { pgDump: null });
    await openAcross(url, async () => {
      last = await increment(url, chunks, last, { pgDump: null });
    });
  });

  test('an audit tells rows that an earlier backup got wrong, and stores those of the server', async () => {
    const url = await make(`${table} CREATE TABLE other AS SELECT 1 AS a`);
    const chunks = memoryChunks();
    const cache = memoryCache();
    let last = await increment(url, chunks, null, { pgDump: null, cache });
    const right = await increment(url, chunks, last, { pgDump: null, cache, audits: true });
    assert.deepEqual(right.result.audit, { rows: 201, differences: [] });
    assertUnchanged({ ...right, result: { ...right.result, readBytes: 0 } }, last);
    await openAcross(url, async () => {
      last = await increment(url, chunks, last, { pgDump: null, cache, weakenedThreshold, compare: false });
    });
    const audited = await increment(url, chunks, last, { pgDump: null, cache, audits: true });
    const [difference, ...others] = audited.result.audit!.differences;
    // The place that the row left, and the one that it has.
    assert.deepEqual([difference!.table, difference!.rows, others], ['public.t', 2, []]);
    assert.equal(difference!.places.length, 2);
    const again = await increment(url, chunks, audited, { pgDump: null, cache, audits: true });
    assert.deepEqual(again.result.audit!.differences, []);
  });

  test('backup --audit ends with 20 where the store had other rows; so does every so manieth backup', async t => {
    const url = await make(table);
    const folder = mkdtempSync(join(tmpdir(), 'stillpoint-audit-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const config = join(folder, 'stillpoint.yaml');
    writeFileSync(
      config,
      `store: store\ndatabase: { type: postgresql, url: '${url}', auditEvery: 2 }\napp: { type: none }\n`,
    );
    const env = {
      ...{ PATH: process.env['PATH'] ?? '', STILLPOINT_PASSPHRASE: 'audit' },
      ...{ STILLPOINT_CACHE_DIR: join(folder, 'cache'), STILLPOINT_STATE_DIR: join(folder, 'state') },
    };
    const run = (args: readonly string[], backupSeams: BackupSeams = {}) =>
      runHere([...args, '--config', config, '--json'], { cwd: folder, env, kdf: cheapKdf, backupSeams });
    const backUp = async (args: readonly string[] = [], seams: BackupSeams = {}) => {
      const { code, json } = await run(['backup', ...args], seams);
      const { audit } = (json.at(-1) as { database: { audit: DatabaseAudit | null } }).database;
      return { code, differing: audit?.differences.map(one => one.table) ?? null };
    };
    assert.equal((await run(['init'])).code, 0);
    const clean = { code: 0, differing: [] };
    const unaudited = { code: 0, differing: null };
    assert.deepEqual(await backUp(), unaudited);
    assert.deepEqual(await backUp(), unaudited);
    assert.deepEqual(await backUp(), clean, 'every second');
    const found: unknown[] = [];
    await openAcross(url, async () => {
      found.push(await backUp([], { database: { weakenedThreshold } }));
    });
    assert.deepEqual(found, [unaudited, { code: 20, differing: ['public.t'] }]);
    assert.deepEqual(await backUp(['--audit']), clean);
    for (const other of ['--dry-run', '--hold-until=durable'])
      assert.equal((await run(['backup', '--audit', other])).code, 2);
  });

  test('a commit that was not written, lost with a backend that was killed; its id names other rows then', async () => {
    const url = await make(table);
    const chunks = memoryChunks();
    const session = await openSession(url);
    await session.query('SET synchronous_commit = off');
    const first = await increment(url, chunks, null, { pgDump: null });
    await session.query("UPDATE t SET k = lpad('lost', 700, 'y') WHERE id = 5");
    const second = await increment(url, chunks, first, { pgDump: null });
    await killBackend(url);
    await sql(url, "UPDATE t SET k = lpad('kept', 700, 'z') WHERE id = 5");
    const third = await increment(url, chunks, second, { pgDump: null });
    assert.equal(third.result.changedSegments, 1);
  });

  // The last one: databases that were made meanwhile are gone after it.
  test('data that were set back, on a server that went on past where it was', async () => {
    const url = await make(table);
    const chunks = memoryChunks();
    const keep = `${server!.dataDir}-kept`;
    await server!.stopAtOnce();
    execFileSync('cp', ['-a', server!.dataDir, keep]);
    await server!.restart();
    await sql(url, "UPDATE t SET k = lpad('gone', 700, 'y') WHERE id = 5");
    const first = await increment(url, chunks, null, { pgDump: null });
    await server!.stopAtOnce();
    execFileSync('rm', ['-rf', server!.dataDir]);
    execFileSync('mv', [keep, server!.dataDir]);
    await server!.restart();
    await sql(url, "UPDATE t SET k = lpad('other', 700, 'z') WHERE id = 5");
    await sql(
      url,
      `DO $$ BEGIN WHILE pg_current_wal_insert_lsn() <= '${first.result.lsn}'
         OR pg_snapshot_xmax(pg_current_snapshot())::text::int8 <= ${first.result.xmax} LOOP
         PERFORM pg_current_xact_id(), pg_logical_emit_message(true, '', repeat('x', 50000)); COMMIT; END LOOP; END $$`,
    );
    await increment(url, chunks, first, { pgDump: null });
  });
});

async function factsOf(chunks: MemoryChunks, { result }: Increment): Promise<DatabaseRecord> {
  for await (const entry of readListing(chunks, result.root)) {
    const one = decodeEntry(entry);
    if (one.entry === 'facts') return one;
  }
  throw new Error('Cannot compare servers: the listing has no facts');
}

/** The same listing, of a server that says something else of itself. */
async function withFacts(
  chunks: MemoryChunks,
  { result }: Increment,
  facts: Partial<DatabaseRecord>,
): Promise<ListingRoot> {
  const builder = new ListingBuilder(chunks, chunks.cuts.nodes);
  for await (const entry of readListing(chunks, result.root)) await builder.add(changed(entry, facts));
  return builder.finish();
}

function changed(entry: Entry, facts: Partial<DatabaseRecord>): Entry {
  const one = decodeEntry(entry);
  return one.entry === 'facts' ? encodeRecordOfDatabase({ ...one, ...facts }) : entry;
}

/** The server ends all others with it and goes on; it has not been started anew. */
async function killBackend(url: string): Promise<void> {
  const victim = await openSession(url);
  const { rows: pids } = await victim.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  process.kill(pids[0]!.pid, 'SIGKILL');
  await victim.end().catch(() => {}); // it is gone
  for (let tries = 0; ; tries += 1) {
    try {
      await sql(url, 'SELECT 1');
      return;
    } catch (error) {
      if (tries === 300) throw error;
      await new Promise(resolve => setTimeout(resolve, 20));
    }
  }
}
