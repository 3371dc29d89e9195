import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PostgresServer } from '../../../../../bench/servers/index.ts';
import { memoryChunks } from '../../../../helpers/memory-chunks.ts';
import { connect, digestKey, onServers, openSession, restore, sql } from '../on-servers.ts';
import { assertUnchanged, baseOf, type Increment, increment, memoryCache, segmentsOf } from './increments.ts';

/** 4,000 rows in some 60 blocks. */
const table = `
CREATE TABLE public.t (id int PRIMARY KEY, k text, n int) WITH (fillfactor = 80, autovacuum_enabled = off);
INSERT INTO public.t SELECT i, repeat('v', i * 7 % 60) || i, 0 FROM generate_series(1, 4000) i;`;

let databases = 0;

const makeOn =
  (server: () => PostgresServer) =>
  async (text: string): Promise<string> => {
    databases += 1;
    const url = await server().createDatabase(`increment_${databases}`);
    await sql(url, text);
    return url;
  };

onServers(server => {
  const make = makeOn(server);

  test('nothing changed: the listing is the base, nothing is read or stored', async () => {
    const url = await make(`${table}
      CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE TABLE moods (m mood, c text[], p point);
      INSERT INTO moods VALUES ('good', '{a}', '(1,2)');
      CREATE TABLE empty (a int); CREATE TABLE columnless (); INSERT INTO columnless SELECT FROM generate_series(1, 3);
      CREATE UNLOGGED TABLE unlogged AS SELECT 1 AS a; CREATE SEQUENCE s; SELECT nextval('s');
      CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM t; CREATE TABLE big AS SELECT repeat(md5(i::text), 3000) b FROM generate_series(1, 30) i;
      CREATE TABLE parent (a int) PARTITION BY RANGE (a); CREATE TABLE leaf PARTITION OF parent FOR VALUES FROM (0) TO (9);
      INSERT INTO parent VALUES (1); CREATE TABLE named (r regclass); INSERT INTO named VALUES ('t');
      SELECT lo_from_bytea(0, repeat('x', 9000)::bytea)`);
    const chunks = memoryChunks();
    const cache = memoryCache();
    const first = await increment(url, chunks, null, { cache });
    assert.equal(first.result.changedSegments, first.result.segments);
    const before = { data: chunks.count('data'), metadata: chunks.count('metadata') };
    const second = await increment(url, chunks, first, { cache, compare: false });
    assertUnchanged(second, first);
    const third = await increment(url, chunks, second, { precopy: 'all' });
    assertUnchanged(third, first);
    assert.deepEqual(third.precopied, { segments: 0, rows: third.precopied!.rows, bytes: 0 });
    assert.deepEqual({ data: chunks.count('data'), metadata: chunks.count('metadata') }, before);
  });

  test('whatever happens to rows, an increment is the whole', async () => {
    const url = await make(table);
    const chunks = memoryChunks();
    const cache = memoryCache();
    let last = await increment(url, chunks, null, { cache });
    for (const [statement, most] of [
      ['UPDATE t SET n = 1 WHERE id = 17', 400],
      ['UPDATE t SET id = -id WHERE id = 18', 400],
      ['DELETE FROM t WHERE id BETWEEN 200 AND 210', 0],
      ['INSERT INTO t SELECT i, i, 0 FROM generate_series(5000, 5005) i', 800],
      ['SELECT * FROM t WHERE id = 5 FOR UPDATE', 0],
      ['VACUUM t', 0],
      ['VACUUM (FREEZE) t', 0],
      ['INSERT INTO t SELECT i, i, 0 FROM generate_series(6000, 6100) i', 4000],
      [
        'BEGIN; SAVEPOINT a; UPDATE t SET n = 2 WHERE id = 30; ROLLBACK TO a; UPDATE t SET n = 3 WHERE id = 31; COMMIT',
        400,
      ],
      ['BEGIN; UPDATE t SET n = 9; ROLLBACK', 0],
      ['DELETE FROM t WHERE id > 3000', 0],
      ['VACUUM t', 0],
      ['INSERT INTO t VALUES (9000, NULL, NULL)', 400],
    ] as const) {
      await sql(url, statement);
      last = await increment(url, chunks, last, { cache });
      assert.ok(last.result.readBytes <= most, `${statement}: ${last.result.readBytes} bytes were read`);
    }
    const [segment] = await segmentsOf(chunks, last, 'public.t');
    assert.ok(segment!.deltas.length > 5);
  });

  test('transactions that are open across the pin are in the next increment', async () => {
    const url = await make(table);
    const chunks = memoryChunks();
    const session = await openSession(url);
    try {
      const first = await increment(url, chunks, null);
      await session.query("BEGIN; INSERT INTO t VALUES (7000, 'open', 1); UPDATE t SET n = 5 WHERE id = 40");
      await sql(url, 'UPDATE t SET n = 6 WHERE id = 41');
      const second = await increment(url, chunks, first);
      await session.query("SAVEPOINT a; INSERT INTO t VALUES (7001, 'sub', 1); RELEASE a; COMMIT");
      const third = await increment(url, chunks, second);
      assert.equal(third.rows, 4002);
    } finally {
      await session.end();
    }
  });

  test('a heap that grows and shrinks', async () => {
    const url = await make(table);
    const chunks = memoryChunks();
    let last: Increment = await increment(url, chunks, null);
    for (const statement of [
      "INSERT INTO t SELECT i, repeat('z', 700), 1 FROM generate_series(10001, 10100) i",
      'DELETE FROM t WHERE id > 10050; VACUUM t',
      "INSERT INTO t SELECT i, repeat('z', 900), 1 FROM generate_series(20001, 30000) i",
      'DELETE FROM t WHERE id > 20100; VACUUM t',
      'DELETE FROM t; VACUUM t',
      "INSERT INTO t VALUES (1, 'again', 1)",
    ]) {
      for (const one of statement.split('; ')) await sql(url, one);
      last = await increment(url, chunks, last);
    }
  });

  test('without a cache, with a damaged one, or with one of another key it is the same', async () => {
    const url = await make(table);
    const chunks = memoryChunks();
    const cache = memoryCache();
    const first = await increment(url, chunks, null, { cache });
    const change = async (n: number) => sql(url, `UPDATE t SET n = ${n} WHERE id % 100 = ${n}`);
    await change(1);
    const second = await increment(url, chunks, first);
    assert.ok(second.result.readBytes < 5000);
    for (const bytes of cache.rows.values()) bytes.fill(3, 20);
    await change(2);
    const third = await increment(url, chunks, second, { cache });
    assert.ok(third.result.readBytes < 5000);
    assert.equal((await segmentsOf(chunks, third, 'public.t'))[0]!.deltas.length, 2);
  });

  test('what the store has lost or is about to lose is no base', async () => {
    const url = await make(
      `${table} CREATE TABLE other AS SELECT i, repeat('o', 90) FROM generate_series(1, 3000) i`,
    );
    const chunks = memoryChunks();
    const first = await increment(url, chunks, null);
    const [segment] = await segmentsOf(chunks, first, 'public.t');
    const [extent] = 'extents' in segment!.rows ? segment!.rows.extents : [];
    assert.equal(extent?.kind, 'chunk');
    const gone = extent.id;
    const has = (id: Uint8Array) => Buffer.compare(id, gone) !== 0;
    const second = await increment(url, chunks, first, { base: { has } });
    assert.equal(second.result.changedSegments, 1);
    await sql(url, 'UPDATE t SET n = 1 WHERE id = 4');
    const lost = {
      ...chunks,
      get: async (id: Parameters<typeof chunks.get>[0], kind: 'data' | 'metadata') => {
        if (has(id)) return chunks.get(id, kind);
        throw Object.assign(
          new (await import('../../../../../store/index.ts')).StillpointError('STORE_DAMAGED', 'gone'),
        );
      },
    };
    const third = await increment(url, chunks, first, { source: lost });
    assert.equal((await segmentsOf(chunks, third, 'public.t'))[0]!.deltas.length, 0);
    const roots = (id: Uint8Array) => Buffer.compare(id, first.result.root.id) !== 0;
    await increment(url, chunks, first, { base: { has: roots } });
  });

  test('what was read before the lock is brought up to the pin', async () => {
    const url = await make(`${table} CREATE TABLE other AS SELECT i FROM generate_series(1, 3000) i`);
    const chunks = memoryChunks();
    const cache = memoryCache();
    const busy = async () =>
      sql(
        url,
        'UPDATE t SET n = n + 1 WHERE id % 50 = 3; DELETE FROM t WHERE id = 9; CREATE TABLE made AS SELECT 1 AS a; INSERT INTO other VALUES (-1)',
      );
    const first = await increment(url, chunks, null, { cache, precopy: 'new', beforePin: busy });
    assert.ok(first.precopied!.rows >= 7000);
    assert.ok(first.result.readBytes < first.precopied!.bytes + 20_000);
    await sql(url, 'DROP TABLE made; UPDATE t SET n = 0 WHERE id = 77');
    const second = await increment(url, chunks, first, { precopy: 'new', beforePin: busy });
    assert.equal(second.precopied!.rows, 0);
    await sql(
      url,
      'DROP TABLE made; TRUNCATE other; INSERT INTO other SELECT i FROM generate_series(1, 1000) i',
    );
    const third = await increment(url, chunks, second, { precopy: 'all', beforePin: busy });
    await sql(url, 'DROP TABLE made');
    await increment(url, chunks, third, {
      precopy: 'all',
      beforePin: () => sql(url, 'TRUNCATE t; ALTER TABLE other ADD COLUMN x int DEFAULT 4'),
    });
  });

  test('large objects advance like a table', async () => {
    const url = await make(
      'SELECT lo_from_bytea(9000 + i, repeat(i::text, 4000)::bytea) FROM generate_series(1, 60) i',
    );
    const chunks = memoryChunks();
    const first = await increment(url, chunks, null);
    assertUnchanged(await increment(url, chunks, first), first);
    await sql(
      url,
      "SELECT lo_put(9001, 5000, 'changed'); SELECT lo_unlink(9002); SELECT lo_from_bytea(9999, 'new')",
    );
    const second = await increment(url, chunks, first);
    assert.ok(second.result.readBytes < 100_000);
    await sql(url, 'VACUUM FULL pg_largeobject');
    await increment(url, chunks, second);
  });

  test('large objects that were read before the lock are not read again', async () => {
    const url = await make(
      'SELECT lo_from_bytea(9000 + i, repeat(i::text, 4000)::bytea) FROM generate_series(1, 60) i',
    );
    const first = await increment(url, memoryChunks(), null, { precopy: 'new' });
    assert.equal(first.result.readBytes, 0);
    assert.ok(first.precopied!.bytes > 400_000);
  });

  test('large objects that are read one by one are not read while they are the same', async () => {
    await make("SELECT 1; CREATE ROLE clerk LOGIN PASSWORD 'pw'");
    const url = server().url(`increment_${databases}`, { name: 'clerk', password: 'pw' });
    await sql(
      url,
      'SELECT lo_from_bytea(9000 + i, repeat(i::text, 4000)::bytea) FROM generate_series(0, 60) i',
    );
    const chunks = memoryChunks();
    const cache = memoryCache();
    const first = await increment(url, chunks, null, { cache, compare: false });
    assert.ok(first.result.readBytes > 400_000);
    assertUnchanged(await increment(url, chunks, first, { cache, compare: false }), first);
    for (const change of [
      "lo_put(9001, 70, 'x')",
      'lo_unlink(9002)',
      'lo_truncate(lo_open(9003, 131072), 9)',
    ]) {
      const before = await increment(url, chunks, first, { cache, compare: false });
      await sql(url, `SELECT ${change}`);
      const after = await increment(url, chunks, before, { cache, compare: false });
      assert.ok(after.result.readBytes > 400_000, change);
      assert.notDeepEqual(after.result.root, before.result.root);
    }
    const lost = await increment(url, chunks, first, { compare: false });
    assert.ok(lost.result.readBytes > 400_000);
  });

  test('an estimate counts what a backup would read', async () => {
    const url = await make(`${table} CREATE TABLE other AS SELECT i FROM generate_series(1, 3000) i`);
    const chunks = memoryChunks();
    const cache = memoryCache();
    const estimate = async (previous: Increment | null) => {
      await using source = await connect(url);
      await source.prepare({ base: previous && baseOf(chunks, previous) });
      return await source.estimate({ source: chunks, cache });
    };
    const whole = await estimate(null);
    assert.deepEqual(
      [whole.tables, whole.changedTables, whole.segments, whole.changedSegments],
      [2, 2, 2, 2],
    );
    assert.ok(whole.bytes > 200_000);
    const first = await increment(url, chunks, null, { cache });
    const none = { tables: 2, bytes: 0, changedTables: 0, changedSegments: 0, segments: 2 };
    assert.deepEqual(await estimate(first), none);
    await sql(url, 'UPDATE t SET n = 1 WHERE id = 6');
    const some = await estimate(first);
    assert.deepEqual([some.changedTables, some.changedSegments], [1, 1]);
    assert.ok(some.bytes > 0 && some.bytes < 50_000);
  });

  test('unchanged tables of a type that an extension writes are read again', async t => {
    const url = await make('CREATE TABLE plain AS SELECT i FROM generate_series(1, 9) i');
    const [there] = await sql(url, "SELECT FROM pg_available_extensions WHERE name = 'hstore'");
    if (!there || !server().clientDir) return t.skip('this server has no hstore, or no pg_dump to write it');
    await sql(
      url,
      "CREATE EXTENSION hstore; CREATE TABLE odd AS SELECT 'a=>1'::hstore AS h FROM generate_series(1, 9)",
    );
    const chunks = memoryChunks();
    const first = await increment(url, chunks, null);
    const second = await increment(url, chunks, first, { precopy: 'new' });
    assert.equal(second.result.changedSegments, 1);
    assert.deepEqual(second.result.root, first.result.root);
  });

  test('row-level security that hides rows is an error, however late it comes', async t => {
    await sql(
      server().superuserUrl,
      "CREATE ROLE watcher LOGIN BYPASSRLS PASSWORD 'eye' IN ROLE pg_read_all_data",
    );
    if (!server().clientDir) return t.skip('this server has no pg_dump, and policies need it');
    const url = await make(
      `CREATE TABLE t AS SELECT 1 AS id; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY none ON t USING (false)`,
    );
    const own = new URL(url).pathname.slice(1);
    const chunks = memoryChunks();
    await using source = await connect(server().url(own, { name: 'watcher', password: 'eye' }));
    await source.prepare();
    await source.pin();
    await sql(url, 'ALTER ROLE watcher NOBYPASSRLS');
    const job = { sink: chunks, source: chunks, cuts: chunks.cuts, digestKey };
    await assert.rejects(source.finish(job), { code: 'DATABASE_RIGHTS' });
  });

  test('a lock that somebody holds costs the pre-copy, not the run', async () => {
    const url = await make(table);
    const session = await openSession(url);
    try {
      const first = await increment(url, memoryChunks(), null, {
        precopy: 'new',
        beforePrecopy: () => session.query('BEGIN; LOCK TABLE t'),
        beforePin: () => session.query('COMMIT'),
      });
      assert.equal(first.precopied!.segments, 0);
      assert.equal(first.rows, 4000);
    } finally {
      await session.end();
    }
  });

  test('a type or a name that is changed after the pin ends the run', async () => {
    const url = await make(`CREATE TYPE mood AS ENUM ('a'); CREATE TABLE moods AS SELECT 'a'::mood AS m;
      CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE named AS SELECT 'f'::regproc AS f`);
    const chunks = memoryChunks();
    for (const statement of ["ALTER TYPE mood RENAME VALUE 'a' TO 'z'", 'ALTER FUNCTION f RENAME TO g']) {
      const afterPin = () => sql(url, statement);
      await assert.rejects(increment(url, chunks, null, { afterPin }), { code: 'DATABASE_FAILED' });
    }
    const afterPin = () => sql(url, "CREATE FUNCTION h() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    await increment(url, chunks, null, { afterPin });
  });
});

onServers(
  server => {
    const make = makeOn(server);

    test('where nothing changed the server is asked for signatures, never for rows or definitions', async () => {
      const names = ['a', 'b B', 'ä', 'a1', 'Z'];
      const url = await make(
        `${table} ${names.map(name => `CREATE SCHEMA "${name}"; CREATE TABLE "${name}"."${name}" AS SELECT i FROM generate_series(1, 3000) i;`).join(' ')}`,
      );
      const chunks = memoryChunks();
      const first = await increment(url, chunks, null);
      await sql(server().superuserUrl, "ALTER SYSTEM SET log_statement = 'all'");
      await sql(server().superuserUrl, 'SELECT pg_reload_conf()');
      try {
        const before = (await server().log()).length;
        const put = chunks.count('data') + chunks.count('metadata');
        const second = await increment(url, chunks, first, { compare: false, precopy: 'new' });
        assertUnchanged(second, first);
        const said = (await server().log()).slice(before);
        assert.equal(said.match(/generate_series/g)?.length, 1 + names.length);
        assert.equal(said.match(/statement: SELECT pg_catalog\.string_agg/g)?.length, 1, 'one message');
        assert.doesNotMatch(said, /COPY|pg_get_viewdef|pg_get_constraintdef/);
        assert.equal(chunks.count('data') + chunks.count('metadata'), put);
      } finally {
        await sql(server().superuserUrl, 'ALTER SYSTEM RESET log_statement');
        await sql(server().superuserUrl, 'SELECT pg_reload_conf()');
      }
    });

    test('many small tables that are asked about together: of those that changed, and of no others, rows are read', async () => {
      const many = 70;
      const url = await make(
        `DO $$ BEGIN FOR i IN 1..${many} LOOP
           EXECUTE format('CREATE TABLE public.t%s AS SELECT n, md5(n::text) AS v FROM generate_series(1, 300) n', i);
         END LOOP; END $$;
         CREATE TABLE public.t3a AS SELECT n FROM generate_series(1, 90000) n; CREATE TABLE public.t3b (n integer)`,
      );
      const chunks = memoryChunks();
      const first = await increment(url, chunks, null);
      const change = `UPDATE public.t2 SET v = 'x' WHERE n = 7; DELETE FROM public.t35 WHERE n > 200;
        INSERT INTO public.t70 VALUES (1, 'y'); UPDATE public.t3a SET n = 0 WHERE n = 80000; INSERT INTO public.t3b VALUES (1);
        TRUNCATE public.t9; DROP TABLE public.t33`;
      const second = await increment(url, chunks, first, { beforePin: () => sql(url, change) });
      assert.equal(second.result.tables, many + 1);
      assert.equal(second.result.changedSegments, 5);
    });

    test('a long chain is joined, restores the same, and is copied again in the end', async t => {
      const url = await make(table);
      const chunks = memoryChunks();
      const cache = memoryCache();
      let last = await increment(url, chunks, null, { cache });
      const lengths: number[] = [];
      for (let i = 0; i < 18; i += 1) {
        await sql(
          url,
          `UPDATE t SET n = n + 1 WHERE id % 400 = ${i * 9}; UPDATE t SET k = k || 'x' WHERE id = ${i}`,
        );
        if (i % 5 === 4) await sql(url, 'VACUUM t');
        last = await increment(url, chunks, last, { cache });
        lengths.push((await segmentsOf(chunks, last, 'public.t'))[0]!.deltas.length);
      }
      t.diagnostic(lengths.join(' '));
      assert.equal(Math.max(...lengths), 16);
      assert.deepEqual(lengths.slice(15), [16, 1, 2]);
      const restored = await restore(server().url('chain_again'), { chunks, result: last.result });
      assert.equal(restored.rows, 4000);
      await sql(url, 'UPDATE t SET n = 77 WHERE id % 3 = 0');
      last = await increment(url, chunks, last, { cache });
      assert.equal((await segmentsOf(chunks, last, 'public.t'))[0]!.deltas.length, 0);
    });
  },
  { only: 'first' },
);
