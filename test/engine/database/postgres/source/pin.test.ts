import assert from 'node:assert/strict';
import { test } from 'node:test';
import { availableServers, startServer } from '../../../../../bench/servers/index.ts';
import { StillpointError } from '../../../../../store/index.ts';
import { assertDescriptionsEqual, describeDatabase } from '../../../../helpers/database-equal.ts';
import { memoryChunks } from '../../../../helpers/memory-chunks.ts';
import { backUp, connect, digestKey, onServers, openSession, restore, sql } from '../on-servers.ts';

onServers(server => {
  test('what happens after the pin is not in the backup, and harms it in no way', async () => {
    const url = await server().createDatabase('moving');
    await sql(
      url,
      `CREATE TABLE public.kept (id serial, t text); INSERT INTO public.kept (t) SELECT 'row ' || i FROM generate_series(1, 500) i;
       CREATE TABLE public.truncated AS SELECT i FROM generate_series(1, 300) i;
       CREATE TABLE public.altered AS SELECT i FROM generate_series(1, 300) i;
       CREATE TABLE public.dropped AS SELECT i FROM generate_series(1, 300) i;
       CREATE SEQUENCE public.moving; SELECT nextval('public.moving');
       SELECT lo_from_bytea(7000, 'before')`,
    );
    const before = await describeDatabase(url);
    const chunks = memoryChunks();
    const later: Promise<unknown>[] = [];
    const result = await backUp(url, chunks, {
      afterPin: async () => {
        await sql(
          url,
          `INSERT INTO public.kept (t) VALUES ('late'); UPDATE public.kept SET t = 'changed' WHERE id < 100;
           DELETE FROM public.kept WHERE id > 400; SELECT nextval('public.moving') FROM generate_series(1, 40);
           SELECT lo_put(7000, 0, 'after!'), lo_from_bytea(7001, 'late')`,
        );
        // These wait for the backup's locks, and get them when it lets go.
        for (const text of [
          'TRUNCATE public.truncated',
          'ALTER TABLE public.altered ALTER COLUMN i TYPE text',
          'DROP TABLE public.dropped',
        ])
          later.push(sql(url, text));
        await sql(url, 'CREATE TABLE public.late (a int); CREATE VIEW public.late_view AS SELECT 1 AS one');
      },
    });
    await Promise.all(later);
    const [truncated] = await sql<{ n: string }>(url, 'SELECT count(*) AS n FROM public.truncated');
    assert.equal(truncated!.n, '0');
    const target = server().url('moving_again');
    await restore(target, { chunks, result });
    assertDescriptionsEqual(before, await describeDatabase(target));
  });

  test('tables and sequences made between prepare and pin are in the backup', async () => {
    const url = await server().createDatabase('growing');
    await sql(url, 'CREATE TABLE public.old AS SELECT 1 AS a; CREATE TABLE public.going AS SELECT 1 AS a');
    const chunks = memoryChunks();
    await using source = await connect(url);
    await source.prepare();
    await sql(
      url,
      `CREATE TABLE public.new (id serial, t text); INSERT INTO public.new (t) VALUES ('x'); DROP TABLE public.going;
       ALTER TABLE public.old RENAME TO older; CREATE TYPE public.mood AS ENUM ('good')`,
    );
    const pin = await source.pin();
    assert.equal(pin.definitionsReused, false);
    assert.equal(pin.tables, 2);
    assert.equal(pin.sequences, 1);
    assert.equal(await source.holds(), true);
    const result = await source.finish({ sink: chunks, source: chunks, cuts: chunks.cuts, digestKey });
    const target = server().url('growing_again');
    await restore(target, { chunks, result });
    assertDescriptionsEqual(await describeDatabase(url), await describeDatabase(target));
  });

  test('temporary tables are no change of definitions', async () => {
    const url = await server().createDatabase('fleeting');
    await sql(url, 'CREATE TABLE public.t AS SELECT 1 AS a');
    const session = await openSession(url);
    await using source = await connect(url);
    await source.prepare();
    await session.query(
      'CREATE TEMPORARY TABLE scratch (id serial PRIMARY KEY, t text DEFAULT 7); ANALYZE public.t',
    );
    assert.equal((await source.pin()).definitionsReused, true);
    await session.end();
  });

  test('the fence is down when a pinning backend is gone', async () => {
    const url = await server().createDatabase('fenced');
    await sql(url, 'CREATE TABLE public.t AS SELECT 1 AS a');
    for (const purpose of ['pin', 'read']) {
      await using source = await connect(url);
      assert.equal(await source.holds(), false, 'before the pin there is none');
      await source.prepare();
      await source.pin();
      assert.equal(await source.holds(), true);
      await sql(
        url,
        `SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
           WHERE application_name = 'stillpoint ${purpose}' AND datname = 'fenced' LIMIT 1) one`,
      );
      const deadline = Date.now() + 5000;
      while ((await source.holds()) && Date.now() < deadline)
        await new Promise(resolve => setTimeout(resolve, 5));
      assert.equal(await source.holds(), false, purpose);
      const chunks = memoryChunks();
      await assert.rejects(source.finish({ sink: chunks, source: chunks, cuts: chunks.cuts, digestKey }), {
        code: 'DATABASE_FAILED',
      });
    }
  });

  test('the pin takes milliseconds', async t => {
    for (const count of [10, 300]) {
      const url = await server().createDatabase(`pin_${count}`);
      await sql(
        url,
        `DO $$ BEGIN FOR i IN 1..${count} LOOP EXECUTE format(
           'CREATE TABLE public.t%s (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, v text)', i); END LOOP; END $$`,
      );
      const figures: string[] = [];
      for (let run = 0; run < 3; run += 1) {
        await using source = await connect(url, { readers: 2 });
        await source.prepare();
        const pin = await source.pin();
        assert.equal(pin.tables, count);
        assert.equal(pin.definitionsReused, true);
        figures.push(pin.pinMs.toFixed(1));
      }
      t.diagnostic(`${count} tables, pin with two readers: ${figures.join(', ')} ms`);
    }
  });
});

onServers(
  server => {
    test('a table that somebody else locks fails the pin, in seconds and with a remedy', async () => {
      const url = await server().createDatabase('locked');
      await sql(url, 'CREATE TABLE public.t AS SELECT 1 AS a');
      const session = await openSession(url);
      await using source = await connect(url);
      await source.prepare();
      await session.query('BEGIN; LOCK TABLE public.t');
      await assert.rejects(source.pin(), (error: unknown) => {
        const { code, message } = error as { code: string; message: string };
        assert.match(message, /session \d+ \(.*\) holds public\.t/);
        return code === 'DATABASE_FAILED';
      });
      await session.query('ROLLBACK');
      // Nothing is left of the attempt: the next one succeeds.
      assert.equal((await source.pin()).tables, 1);
      await session.end();
    });
  },
  { only: 'first' },
);

test('a server without room for the locks of a run is met before the pin, and the setting is named', async () => {
  const [found] = await availableServers();
  const settings = { max_locks_per_transaction: 10, max_connections: 20 };
  await using server = await startServer({ kind: found!.kind, major: found!.major, settings });
  const url = await server.createDatabase('locks');
  for (let of = 0; of < 40; of += 1)
    await sql(url, Array.from({ length: 25 }, (_, i) => `CREATE TABLE public.t${of}_${i} ()`).join(';'));
  // The server frees the locks of a connection that was closed a moment later.
  const connected = async (pgDump: null | undefined): ReturnType<typeof connect> => {
    for (let tries = 1; ; tries++)
      try {
        return await connect(url, { pgDump });
      } catch (error) {
        const isFull = error instanceof StillpointError && error.context['sqlState'] === '53200';
        if (!isFull || tries === 100) throw error;
        await new Promise(resolve => setTimeout(resolve, 50));
      }
  };
  for (const pgDump of [null, undefined]) {
    await using source = await connected(pgDump);
    await assert.rejects(source.prepare(), (error: unknown) => {
      assert.ok(error instanceof StillpointError);
      assert.match(error.remedy ?? '', /max_locks_per_transaction/);
      return error.code === 'DATABASE_FAILED';
    });
  }
});
