import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryChunks } from '../../../../helpers/memory-chunks.ts';
import { backUp, onServers, restore, sql } from '../on-servers.ts';

const forge = `
CREATE SCHEMA app; CREATE SCHEMA other;
CREATE TYPE app.mood AS ENUM ('good', 'bad');
CREATE DOMAIN app.mail AS text CHECK (VALUE LIKE '%@%');
CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM 1 FROM app.log; RETURN NEW; END$$;
CREATE TABLE app.users (id serial PRIMARY KEY, mail app.mail, mood app.mood DEFAULT 'good');
CREATE TABLE app.repo (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner int REFERENCES app.users, name text UNIQUE,
  mood app.mood, CHECK (id > 0) NO INHERIT);
COMMENT ON CONSTRAINT repo_owner_fkey ON app.repo IS 'whose it is';
CREATE INDEX repo_by_name ON app.repo (lower(name));
CREATE STATISTICS other.repo_stats ON owner, name FROM app.repo;
CREATE TRIGGER touched BEFORE UPDATE ON app.repo FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE TABLE app.log (at timestamptz, what text) PARTITION BY RANGE (at);
CREATE TABLE app.log_old PARTITION OF app.log FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
CREATE TABLE app.log_new PARTITION OF app.log FOR VALUES FROM ('2026-01-01') TO (MAXVALUE);
CREATE INDEX log_at ON app.log (at);
CREATE VIEW other.names AS SELECT r.name, u.mail FROM app.repo r JOIN app.users u ON u.id = r.owner;
CREATE MATERIALIZED VIEW other.count AS SELECT count(*) AS n FROM app.repo;
CREATE TABLE other."odd.name" (a int);
INSERT INTO app.users (mail) SELECT i || '@x' FROM generate_series(1, 50) i;
INSERT INTO app.repo (owner, name) SELECT 1 + i % 50, 'r' || i FROM generate_series(1, 700) i;
INSERT INTO app.log SELECT '2025-06-01'::timestamptz + i * '1 day'::interval, 'l' || i FROM generate_series(1, 400) i;
REFRESH MATERIALIZED VIEW other.count;
SELECT lo_from_bytea(0, 'blob');
`;

onServers(
  server => {
    const make = async () => {
      const url = await server().createDatabase('forge');
      await sql(url, forge);
      const chunks = memoryChunks();
      return { url, chunks, result: await backUp(url, chunks) };
    };
    let made: ReturnType<typeof make> | undefined;
    const shared = () => {
      made ??= make();
      return made;
    };
    /** `kind schema.name`, of all that is there. */
    const namesIn = async (url: string): Promise<string[]> => {
      const rows = await sql<{ name: string }>(
        url,
        `SELECT c.relkind::text || ' ' || n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.oid >= 16384 AND n.nspname !~ '^pg_' UNION ALL
         SELECT t.typtype::text || ' ' || n.nspname || '.' || t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
         WHERE t.oid >= 16384 AND t.typtype IN ('d', 'e') UNION ALL
         SELECT 'f ' || n.nspname || '.' || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE p.oid >= 16384 ORDER BY 1`,
      );
      return rows.map(row => row.name);
    };
    const count = async (url: string, table: string) =>
      (await sql<{ n: number }>(url, `SELECT count(*)::int AS n FROM ${table}`))[0]!.n;

    test('one table comes with its rows and all that it needs, and with nothing else', async () => {
      const backup = await shared();
      const target = server().url('one_table');
      const result = await restore(target, backup, { wish: { tables: ['app.repo'] } });
      assert.deepEqual([result.tables, result.rows], [1, 700]);
      assert.deepEqual(await namesIn(target), [
        'S app.repo_id_seq',
        'e app.mood',
        'f app.touch',
        'i app.repo_by_name',
        'i app.repo_name_key',
        'i app.repo_pkey',
        'r app.repo',
      ]);
      const left = result.warnings.filter(text => /repo_owner_fkey/.test(text));
      assert.equal(left.length, 2, 'the key that leads to a table that is not there, and its comment');
      assert.ok(result.warnings.some(text => /[Ll]arge objects/.test(text)));
      const [row] = await sql<{ id: number; n: number }>(
        target,
        `INSERT INTO app.repo (name) VALUES ('next') RETURNING id, (SELECT count(*)::int FROM pg_statistic_ext) AS n`,
      );
      assert.deepEqual(row, { id: 701, n: 1 });
    });

    test('a view comes with its tables and their rows; a partitioned table with its partitions', async () => {
      const backup = await shared();
      const target = server().url('a_view');
      const result = await restore(target, backup, { wish: { tables: ['other.names', 'log'] } });
      assert.equal(result.tables, 4);
      assert.equal(await count(target, 'other.names'), 700);
      assert.equal(await count(target, 'app.log'), 400);
      const [{ n } = { n: 0 }] = await sql<{ n: number }>(
        target,
        `SELECT count(*)::int AS n FROM pg_inherits WHERE inhparent IN ('app.log'::regclass, 'app.log_at'::regclass)`,
      );
      assert.equal(n, 4, 'tables and indexes are attached');
      assert.equal(
        await count(target, "pg_constraint WHERE contype = 'f' AND conrelid = 'app.repo'::regclass"),
        1,
      );
    });

    test('a partition by itself is a table', async () => {
      const backup = await shared();
      const target = server().url('a_partition');
      const { rows, warnings } = await restore(target, backup, { wish: { tables: ['app.log_new'] } });
      assert.equal(await count(target, 'app.log_new'), rows);
      assert.ok(rows > 0 && rows < 400);
      assert.ok(warnings.some(text => /ATTACH PARTITION/.test(text)));
    });

    test('patterns: a star, names in quotes, schemas; what names nothing is refused', async () => {
      const backup = await shared();
      const target = server().url('patterns');
      await restore(target, backup, { wish: { tables: ['other."odd.name"', 'app.use*'] } });
      assert.deepEqual(
        (await namesIn(target)).filter(name => name.startsWith('r ')),
        ['r app.users', 'r other.odd.name'],
      );
      const schema = server().url('a_schema');
      await restore(schema, backup, { wish: { schemas: ['other'] } });
      assert.equal(await count(schema, 'other.count'), 1);
      for (const wish of [{ tables: ['app.rep'] }, { schemas: ['ap'] }, { tables: ['a.b.c'] }])
        await assert.rejects(restore(server().url('never'), backup, { wish }), { code: 'USAGE' });
    });

    test('beside what is there: types are used, nothing is written over, a failure leaves nothing', async () => {
      const backup = await shared();
      const target = await server().createDatabase('live');
      await sql(
        target,
        `CREATE SCHEMA app; CREATE TYPE app.mood AS ENUM ('good', 'bad'); CREATE TABLE app.users (id int PRIMARY KEY, mine text);
         INSERT INTO app.users VALUES (1, 'kept')`,
      );
      const before = await namesIn(target);
      const wish = { tables: ['app.repo'], isAlongside: true };
      await assert.rejects(restore(target, backup, { wish: { tables: ['app.repo'] } }), {
        code: 'TARGET_NOT_EMPTY',
      });
      await assert.rejects(restore(target, backup, { wish: { ...wish, tables: ['app.users'] } }), {
        code: 'TARGET_NOT_EMPTY',
      });
      const wrong = {
        async get(...[id, chunkClass]: Parameters<typeof backup.chunks.get>) {
          const bytes = Buffer.from(await backup.chunks.get(id, chunkClass));
          return Buffer.from(bytes.toString('latin1').replace('\tr17\t', '\tr71\t'), 'latin1');
        },
      };
      await assert.rejects(restore(target, { ...backup, chunks: wrong }, { wish }), (error: unknown) =>
        ['RESTORE_MISMATCH', 'DATABASE_FAILED'].includes((error as { code: string }).code),
      );
      assert.deepEqual(await namesIn(target), before);
      const { warnings } = await restore(target, backup, { wish });
      assert.ok(warnings.some(text => /app\.mood/.test(text)));
      assert.equal(await count(target, 'app.repo'), 700);
      assert.deepEqual(await sql(target, 'SELECT * FROM app.users'), [{ id: 1, mine: 'kept' }]);
      await assert.rejects(restore(target, backup, { wish }), { code: 'TARGET_NOT_EMPTY' });
    });
  },
  { only: 'first' },
);
