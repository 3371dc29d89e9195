import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rawChunks } from '../../../../../bench/hostile/chunks.ts';
import { databaseListing, tableEntries } from '../../../../../bench/hostile/database.ts';
import { randomFrom } from '../../../../../bench/hostile/random.ts';
import { checkPostgresTarget } from '../../../../../engine/database/postgres/index.ts';
import { type ChunkId, hex } from '../../../../../store/index.ts';
import { assertDatabasesEqual } from '../../../../helpers/database-equal.ts';
import { type MemoryChunks, memoryChunks } from '../../../../helpers/memory-chunks.ts';
import { backUp, onServers, openSession, restore, snapshotB, sql, targetOf } from '../on-servers.ts';

const smallDatabase = `
CREATE TYPE public.mood AS ENUM ('good', 'bad');
CREATE TABLE public.t (id serial PRIMARY KEY, m public.mood, t text UNIQUE);
INSERT INTO public.t (m, t) SELECT 'good', 'row ' || i FROM generate_series(1, 5000) i;
CREATE TABLE public.other AS SELECT i FROM generate_series(1, 2000) i;
CREATE VIEW public.v AS SELECT * FROM public.t;
CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
SELECT lo_from_bytea(0, 'blob');
COMMENT ON DATABASE CURRENT_DB IS 'the source';
`;

/** Gives chunks back, but stops being able to after some of them. */
function breaking(chunks: MemoryChunks, after: number): Pick<MemoryChunks, 'get'> {
  let left = after;
  return {
    async get(id, chunkClass) {
      if (chunkClass === 'data' && left-- <= 0) throw new Error('the store went away');
      return chunks.get(id, chunkClass);
    },
  };
}

onServers(
  server => {
    const make = async (name: string) => {
      const url = await server().createDatabase(name);
      await sql(url, smallDatabase.replace('CURRENT_DB', name));
      const chunks = memoryChunks();
      return { url, chunks, result: await backUp(url, chunks) };
    };
    let made: ReturnType<typeof make> | undefined;
    /** One backup serves every test that only restores. */
    const shared = () => {
      made ??= make('shared');
      return made;
    };
    const commentOf = async (name: string) => {
      const rows = await sql<{ c: string | null }>(
        server().superuserUrl,
        `SELECT shobj_description(oid, 'pg_database') AS c FROM pg_database WHERE datname = '${name}'`,
      );
      return rows[0]?.c;
    };

    test('a database that holds anything is refused, and nothing in it changes', async () => {
      const backup = await shared();
      for (const [i, text] of [
        'CREATE TABLE public.mine (a int)',
        'CREATE SCHEMA empty_schema',
        'CREATE TYPE public.lonely AS ENUM ()',
        'CREATE FUNCTION public.lonely() RETURNS int LANGUAGE sql AS $$SELECT 1$$',
        'SELECT lo_create(0)',
        'CREATE EXTENSION hstore',
      ].entries()) {
        const target = await server().createDatabase(`occupied_${i}`);
        await sql(target, text);
        await assert.rejects(checkPostgresTarget(targetOf(target)), { code: 'TARGET_NOT_EMPTY' }, text);
        await assert.rejects(restore(target, backup), { code: 'TARGET_NOT_EMPTY' }, text);
        assert.equal(await commentOf(`occupied_${i}`), null);
      }
      await assert.rejects(checkPostgresTarget(targetOf(backup.url)), { code: 'TARGET_NOT_EMPTY' });
    });

    test('an empty or absent database is fine', async () => {
      await checkPostgresTarget(targetOf(server().url('not_there_yet')));
      await checkPostgresTarget(targetOf(await server().createDatabase('empty')));
    });

    test('a database that was there keeps its comment, settings and encoding', async () => {
      const backup = await make('for_given');
      await sql(backup.url, 'ALTER DATABASE for_given SET work_mem = 99');
      const chunks = memoryChunks();
      const result = await backUp(backup.url, chunks);
      const target = await server().createDatabase('given');
      await sql(
        target,
        `COMMENT ON DATABASE given IS 'made by hand'; ALTER DATABASE given SET work_mem = '3MB'`,
      );
      const { warnings } = await restore(target, { chunks, result });
      assert.equal(await commentOf('given'), 'made by hand');
      assert.equal(warnings.length, 1);
      const latin = await server().createDatabase('latin', "TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");
      await assert.rejects(restore(latin, backup), { code: 'TARGET_FAILED' });
    });

    for (const kind of ['created', 'given'] as const)
      test(`a restore that broke off is begun again by the same snapshot alone (${kind} database)`, async () => {
        const backup = await shared();
        const name = `half_${kind}`;
        const target = kind === 'given' ? await server().createDatabase(name) : server().url(name);
        if (kind === 'given') await sql(target, `COMMENT ON DATABASE ${name} IS 'mine'`);
        for (const after of [2, 4]) {
          await assert.rejects(restore(target, { ...backup, chunks: breaking(backup.chunks, after) }));
          assert.match((await commentOf(name)) ?? '', /^stillpoint: restore unfinished aaaa/);
        }
        await assert.rejects(restore(target, backup, { snapshot: snapshotB }), { code: 'TARGET_NOT_EMPTY' });
        await assert.rejects(checkPostgresTarget({ ...targetOf(target), snapshot: snapshotB }), {
          code: 'TARGET_NOT_EMPTY',
        });
        await sql(target, 'CREATE SCHEMA other; CREATE TABLE other.work AS SELECT 1 AS a');
        const { source, result } = { source: backup.chunks, ...backup };
        for (const attempt of [
          () => checkPostgresTarget({ ...targetOf(target), source, root: result.root }),
          () => restore(target, backup),
        ])
          await assert.rejects(attempt(), { code: 'TARGET_NOT_EMPTY' });
        await sql(target, 'DROP SCHEMA other CASCADE');
        await checkPostgresTarget(targetOf(target));
        await restore(target, backup);
        assert.equal(await commentOf(name), kind === 'given' ? 'mine' : 'the source');
        if (kind === 'given') await sql(target, `COMMENT ON DATABASE ${name} IS 'the source'`);
        await assertDatabasesEqual(backup.url, target);
        await assert.rejects(checkPostgresTarget(targetOf(target)), { code: 'TARGET_NOT_EMPTY' });
      });

    test('an abort ends a restore, and leaves the mark', async () => {
      const backup = await shared();
      const abort = new AbortController();
      const reason = new Error('enough');
      const chunks = {
        get: (id: ChunkId, chunkClass: 'data' | 'metadata') => {
          if (chunkClass === 'data' && chunksSeen.add(hex(id)).size === 4) abort.abort(reason);
          return backup.chunks.get(id, chunkClass);
        },
      };
      const chunksSeen = new Set<string>();
      const target = server().url('aborted_restore');
      await assert.rejects(restore(target, { ...backup, chunks }, { signal: abort.signal }), reason);
      assert.match((await commentOf('aborted_restore')) ?? '', /unfinished/);
    });

    test('rows that are not those backed up are found, and the table is named', async () => {
      const backup = await shared();
      const wrong = {
        async get(id: ChunkId, chunkClass: 'data' | 'metadata') {
          const bytes = await backup.chunks.get(id, chunkClass);
          return Buffer.from(
            Buffer.from(bytes).toString('latin1').replace('\trow 17\n', '\trow x7\n'),
            'latin1',
          );
        },
      };
      await assert.rejects(
        restore(server().url('tampered_again'), { ...backup, chunks: wrong }),
        (error: unknown) => {
          const { code, message } = error as { code: string; message: string };
          assert.match(message, /public"\."t/);
          return code === 'RESTORE_MISMATCH';
        },
      );
      assert.match((await commentOf('tampered_again')) ?? '', /unfinished/);
    });

    test('rows never become statements: not by an end mark, by a command of psql, nor by a name', async () => {
      const canary = await server().createDatabase('canary');
      await sql(canary, 'CREATE TABLE public.kept (a int)');
      const name = 't"; DROP DATABASE canary; --';
      const texts: readonly (readonly [string, readonly string[]])[] = [
        ['quoted', ['DROP DATABASE canary;', '\\\\! touch /tmp/x', "'; DROP DATABASE canary; --"]],
        ['ended', ['a', '\\.', 'DROP DATABASE canary;']],
        ['columns', ['a\tb\tc']],
        ['escapes', ['\\', '\\N', '\\x']],
        ['bytes', ['\xff\0']],
      ];
      for (const [what, rows] of texts) {
        const chunks = rawChunks();
        const bytes = Buffer.from(rows.map(row => `${row}\n`).join(''), 'latin1');
        const root = databaseListing(
          { random: { ...randomFrom(1, 1), chance: () => false }, chunks },
          tableEntries(chunks, { name, bytes }),
          { serverVersionNumber: 140_000, roles: [] },
        );
        const target = server().url(`hostile_${what}`);
        const ended = await restore(target, { chunks, result: { root } }).then(
          () => 'done',
          (error: unknown) => (error as { code?: string }).code,
        );
        assert.match(
          String(ended),
          what === 'quoted' ? /^done$/ : /^(RESTORE_MISMATCH|DATABASE_FAILED)$/,
          what,
        );
        const found = await sql<{ n: string }>(
          target,
          `SELECT relname AS n FROM pg_class WHERE relnamespace = 'public'::regnamespace`,
        );
        assert.deepEqual(found, [{ n: name }], what);
      }
      assert.equal((await sql(canary, 'SELECT * FROM public.kept')).length, 0);
    });

    test('roles that lack are named before anything is written', async () => {
      const url = await server().createDatabase('owned');
      await sql(
        url,
        `CREATE ROLE gone LOGIN CREATEDB; CREATE ROLE "also gone"; CREATE TABLE public.t (a int); ALTER TABLE public.t OWNER TO gone;
         GRANT SELECT ON public.t TO "also gone"`,
      );
      const chunks = memoryChunks();
      const result = await backUp(url, chunks);
      const session = await openSession(server().superuserUrl);
      await session.query('DROP DATABASE owned');
      await session.query('DROP ROLE gone');
      await session.query('DROP ROLE "also gone"');
      await session.end();
      const target = server().url('owned_again');
      const told = { ...targetOf(target), source: chunks, root: result.root };
      await assert.rejects(checkPostgresTarget(told), { code: 'TARGET_FAILED' });
      await assert.rejects(restore(target, { chunks, result }), {
        code: 'TARGET_FAILED',
        remedy: 'As a superuser: CREATE ROLE "also gone"; CREATE ROLE "gone" CREATEDB LOGIN;',
      });
      assert.equal(await commentOf('owned_again'), undefined);
      await sql(server().superuserUrl, 'CREATE ROLE gone; CREATE ROLE "also gone"');
      await restore(target, { chunks, result });
    });

    test('a materialized view that cannot be filled costs a warning, not the restore', async () => {
      const url = await server().createDatabase('stale');
      await sql(
        url,
        `SET stillpoint.test = 'set'; CREATE MATERIALIZED VIEW public.m AS SELECT current_setting('stillpoint.test') AS s;
         CREATE MATERIALIZED VIEW public.of_m AS SELECT * FROM public.m`,
      );
      const chunks = memoryChunks();
      const result = await backUp(url, chunks);
      const { warnings } = await restore(server().url('stale_again'), { chunks, result });
      assert.equal(warnings.length, 2);
    });

    test('a statement that fails is named', async () => {
      const url = await server().createDatabase('extended');
      await sql(url, 'CREATE TABLE public.t (a int); CREATE INDEX t_a ON public.t (a)');
      const chunks = memoryChunks();
      const result = await backUp(url, chunks);
      const wrong = {
        async get(id: ChunkId, chunkClass: 'data' | 'metadata') {
          const bytes = Buffer.from(await chunks.get(id, chunkClass));
          return bytes.includes('CREATE INDEX t_a')
            ? Buffer.from(bytes.toString().replace('USING btree', 'USING bxree'))
            : bytes;
        },
      };
      await assert.rejects(
        restore(server().url('extended_again'), { chunks: wrong, result }),
        (error: unknown) => {
          const { code, message } = error as { code: string; message: string };
          assert.match(message, /CREATE INDEX t_a ON/);
          return code === 'DATABASE_FAILED';
        },
      );
    });
  },
  { only: 'first' },
);

// The reader of the catalogs refuses both.
onServers(
  server => {
    test('event triggers see nothing of the restore', async () => {
      const url = await server().createDatabase('watched');
      await sql(
        url,
        `CREATE TABLE public.seen (what text); CREATE TABLE public.t AS SELECT 1 AS a;
         CREATE MATERIALIZED VIEW public.m AS SELECT * FROM public.t;
         CREATE FUNCTION public.see() RETURNS event_trigger LANGUAGE plpgsql AS
           $$BEGIN INSERT INTO public.seen VALUES (tg_tag); END$$;
         CREATE EVENT TRIGGER seer ON ddl_command_end EXECUTE FUNCTION public.see()`,
      );
      const chunks = memoryChunks();
      const result = await backUp(url, chunks);
      const target = server().url('watched_again');
      await restore(target, { chunks, result });
      await assertDatabasesEqual(url, target);
    });

    test("of an extension, the rows that are the user's are copied", async () => {
      const url = await server().createDatabase('configured');
      await sql(
        url,
        `CREATE EXTENSION hstore; CREATE TABLE public.settings (name text, is_own boolean);
         CREATE TABLE public.shipped (a int); CREATE SEQUENCE public.counter;
         INSERT INTO public.settings VALUES ('shipped', false), ('own', true), ('own too', true);
         INSERT INTO public.shipped VALUES (1);
         ALTER EXTENSION hstore ADD TABLE public.settings; ALTER EXTENSION hstore ADD TABLE public.shipped;
         ALTER EXTENSION hstore ADD SEQUENCE public.counter;
         UPDATE pg_extension SET extconfig = ARRAY['public.settings'::regclass, 'public.counter'::regclass],
           extcondition = ARRAY['WHERE is_own', ''] WHERE extname = 'hstore'`,
      );
      const chunks = memoryChunks();
      const result = await backUp(url, chunks);
      assert.equal(result.tables, 1);
      assert.equal(result.rows, 2);
    });
  },
  { only: 'with pg_dump' },
);
