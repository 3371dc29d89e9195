import assert from 'node:assert/strict';
import { test } from 'node:test';
import type pg from 'pg';
import { availableServers, withClient } from '../../../../../../bench/servers/index.ts';
import { readCatalogDdl } from '../../../../../../engine/database/postgres/definitions/catalog-ddl/index.ts';
import { present } from '../../../../../../engine/database/postgres/definitions/catalog-ddl/query.ts';
import { checkVersion } from '../../../../../../engine/database/postgres/definitions/catalog-ddl/refuse.ts';
import { StillpointError } from '../../../../../../store/index.ts';
import { read, serverWithRoles, write } from './servers.ts';

interface Kind {
  readonly since?: number;
  readonly sql: string;
  /** What the error names. */
  readonly names: readonly string[];
  /** The minor releases from November 2026 on make no such thing any more. */
  readonly isForOldServers?: boolean;
}

const notSupported = '0A000';

const editCatalogs = 'SET LOCAL allow_system_table_mods = on;';

/** One of each kind that only pg_dump writes. */
const kinds: readonly Kind[] = [
  {
    sql: `CREATE SUBSCRIPTION hears CONNECTION 'dbname=none' PUBLICATION p WITH (connect = false, slot_name = NONE)`,
    names: ['subscription hears'],
  },
  {
    sql: `CREATE TABLE t (a integer);
      INSERT INTO pg_seclabel VALUES ('t'::regclass, 'pg_class'::regclass, 0, 'dummy', 'secret')`,
    names: ['security label on table public.t'],
  },
  { sql: `CREATE TYPE unfinished`, names: ['base type public.unfinished'] },
  {
    sql: `CREATE TYPE own; CREATE FUNCTION own_in(cstring) RETURNS own LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
      CREATE FUNCTION own_out(own) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
      CREATE TYPE own (INPUT = own_in, OUTPUT = own_out, LIKE = integer)`,
    names: ['base type public.own'],
  },
  {
    sql: `CREATE TABLE a (id integer PRIMARY KEY); CREATE TABLE b (id integer REFERENCES a); ALTER TABLE b DISABLE TRIGGER ALL`,
    names: ['disabled trigger of a constraint of table public.b'],
  },
  {
    sql: `REVOKE EXECUTE ON FUNCTION pg_catalog.version() FROM PUBLIC`,
    names: [`grants on the system's function version()`],
  },
  {
    sql: `GRANT SELECT ON pg_catalog.pg_user_mapping TO PUBLIC`,
    names: [`grants on the system's table pg_user_mapping`],
  },
  {
    sql: `GRANT SELECT (oid) ON pg_catalog.pg_user_mapping TO PUBLIC`,
    names: [`grants on the system's column oid of table pg_user_mapping`],
  },
  {
    sql: `CREATE TABLE t (a integer); COMMENT ON TYPE t IS 'of its rows'`,
    names: ['comment on type public.t'],
  },
  {
    sql: `CREATE TABLE t (a integer); REVOKE USAGE ON TYPE t FROM PUBLIC`,
    names: ['grants on type public.t'],
  },
  {
    sql: `CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION f() DEPENDS ON EXTENSION plpgsql`,
    names: ['tie to an extension of function public.f()'],
  },
  {
    sql: `${editCatalogs} CREATE FUNCTION pg_catalog.ours() RETURNS integer LANGUAGE sql AS 'SELECT 1'`,
    names: ['function ours()'],
  },
  {
    sql: `${editCatalogs} CREATE TABLE t (a integer); UPDATE pg_class SET relkind = 'Z' WHERE oid = 't'::regclass`,
    names: ['relation public.t'],
  },
  {
    sql: `${editCatalogs} CREATE TABLE t (a integer CHECK (a > 0)); UPDATE pg_constraint SET contype = 'Z' WHERE conname = 't_a_check'`,
    names: ['constraint t_a_check on table public.t'],
  },
  {
    sql: `CREATE TABLE p (a integer) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
      ${editCatalogs} UPDATE pg_inherits SET inhdetachpending = true`,
    names: ['unfinished detaching of partition public.p1'],
  },
  {
    since: 17,
    sql: `CREATE TABLE p (a integer, CONSTRAINT one_each EXCLUDE (a WITH =)) PARTITION BY LIST (a);
      CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)`,
    names: ['exclusion constraint one_each of partitioned table public.p'],
  },
  {
    sql: `CREATE TABLE a (id integer); CREATE FUNCTION f(a) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';
      ALTER TABLE a ADD COLUMN g integer GENERATED ALWAYS AS (f(NULL::a)) STORED`,
    names: ['table public.a', 'function public.f(public.a)'],
    isForOldServers: true,
  },
  {
    sql: `CREATE TABLE a (id integer PRIMARY KEY, x integer); CREATE VIEW v AS SELECT a.id, a.x FROM a GROUP BY id; CREATE TABLE b (one v)`,
    names: ['table public.b'],
  },
];

async function refusal(client: pg.Client): Promise<StillpointError> {
  await client.query(`SELECT set_config('search_path', '', true)`);
  try {
    await readCatalogDdl(client);
  } catch (error) {
    assert.ok(error instanceof StillpointError, String(error));
    return error;
  }
  assert.fail('nothing was refused');
}

for (const available of await availableServers()) {
  const name = `PostgreSQL ${available.version}`;
  const server = await serverWithRoles(available);
  const url = await server.createDatabase('refused');

  test(`${name}: refuses by name what it cannot write: ${kinds.length} kinds`, async () => {
    await withClient(url, async client => {
      for (const { since = 14, sql, names, isForOldServers = false } of kinds) {
        if (since > server.major) continue;
        await client.query('BEGIN');
        const refused = await client.query(sql).then(
          () => false,
          (error: { code?: string }) => isForOldServers && error.code === notSupported,
        );
        if (refused) {
          await client.query('ROLLBACK');
          continue;
        }
        const error = await refusal(client);
        assert.equal(error.code, 'DATABASE_UNSUPPORTED', sql);
        const objects = error.context['objects'] as string[];
        for (const object of names) {
          assert.ok(error.message.includes(object), `${object} in ${error.message}`);
          assert.ok(
            objects.some(one => one.includes(object)),
            `${object} in ${objects}`,
          );
        }
        await client.query('ROLLBACK');
      }
    });
  });

  test(`${name}: an extension is written by its name, but not what was changed inside it`, async () => {
    await withClient(url, async client => {
      await client.query('BEGIN; CREATE EXTENSION pg_buffercache; CREATE TABLE t (a integer)');
      await client.query("SET LOCAL search_path = ''");
      const { preData, postData } = await readCatalogDdl(client);
      assert.ok(preData.includes('CREATE EXTENSION IF NOT EXISTS pg_buffercache WITH SCHEMA public'));
      assert.ok(!/pg_buffercache_/.test(preData + postData));
      await client.query('GRANT EXECUTE ON FUNCTION public.pg_buffercache_pages() TO other');
      assert.deepEqual((await refusal(client)).context['objects'], [
        'grants on function public.pg_buffercache_pages()',
      ]);
      await client.query('ROLLBACK');
    });
  });

  test(`${name}: names twenty objects and counts the rest, and says which package to install`, async () => {
    await withClient(url, async client => {
      await client.query('BEGIN');
      for (let i = 10; i < 40; i += 1) await client.query(`CREATE TYPE a${i}`);
      const error = await refusal(client);
      assert.ok(error.message.includes('a29 and 10 more'), error.message);
      assert.ok(!error.message.includes('a30'));
      assert.equal((error.context['objects'] as string[]).length, 30);
      assert.ok(error.remedy?.includes(`postgresql-client-${server.major}`));
    });
  });

  test(`${name}: the refusal works for the database's owner too, who may not read every catalog`, async () => {
    const role = { name: 'instance', password: 'instance' };
    await server.createDatabase('owned', 'OWNER instance');
    await withClient(server.url('owned'), client =>
      client.query(
        `CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE USER MAPPING FOR PUBLIC SERVER s`,
      ),
    );
    await withClient(server.url('owned', role), async client => {
      await client.query('BEGIN');
      const objects = (await refusal(client)).context['objects'];
      assert.deepEqual(objects, ['user mapping for public on server s']);
    });
  });

  test(`${name}: temporary objects of other sessions and the remains of a broken index are left out`, async () => {
    const passing = await server.createDatabase('passing');
    const empty = await read(passing);
    await withClient(passing, async client => {
      await client.query(
        `CREATE TEMPORARY TABLE t (id serial PRIMARY KEY, at date DEFAULT now() CHECK (at > '2000-01-01'), doc text);
         CREATE TYPE pg_temp.e AS ENUM ('a'); CREATE DOMAIN pg_temp.d AS integer CHECK (VALUE > 0);
         CREATE TYPE pg_temp.c AS (a pg_temp.e, b integer); CREATE TYPE pg_temp.r AS RANGE (subtype = integer);
         CREATE FUNCTION pg_temp.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION pg_temp.f(); CREATE TEMPORARY VIEW v AS SELECT * FROM t;
         COMMENT ON COLUMN t.at IS 'x'; CREATE RULE u AS ON DELETE TO t DO NOTHING; GRANT SELECT ON t TO PUBLIC;
         CREATE TEMPORARY TABLE k (id integer REFERENCES t, at integer GENERATED ALWAYS AS IDENTITY);
         CREATE STATISTICS pg_temp.s ON id, at FROM t; COMMENT ON TABLE t IS 'y'`,
      );
      assert.deepEqual(await read(passing), empty);
    });
    await withClient(passing, async client => {
      await client.query(`CREATE TABLE t (a integer); INSERT INTO t VALUES (1), (1)`);
      const before = await read(passing);
      await assert.rejects(client.query(`CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)`), { code: '23505' });
      await client.query(`COMMENT ON INDEX i IS 'broken'`);
      assert.deepEqual(await read(passing), before);
    });
  });

  test(`${name}: PL/pgSQL made anew is the same as the one that came with the database`, async () => {
    const anew = await server.createDatabase('anew');
    const empty = await read(anew);
    await withClient(anew, client => client.query('DROP EXTENSION plpgsql; CREATE EXTENSION plpgsql'));
    assert.deepEqual(await read(anew), empty);
  });

  test(`${name}: a database without an encoding is written where its text is UTF-8, else refused`, async () => {
    const options = `TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'`;
    const bytes = await server.createDatabase('bytes', options);
    await withClient(bytes, client => client.query(`CREATE TABLE "größe" (a integer)`));
    const ddl = await read(bytes);
    assert.ok(ddl.preData.includes('CREATE TABLE public."größe"'));
    await write(await server.createDatabase('bytes_copy', options), ddl);
    await withClient(bytes, async client => {
      await client.query(`SET client_encoding = 'SQL_ASCII'`);
      await client.query(`DO $$ BEGIN EXECUTE E'COMMENT ON TABLE "größe" IS ''\\xff'''; END $$`);
    });
    await assert.rejects(read(bytes), { code: 'DATABASE_UNSUPPORTED' });
  });

  test(`${name}: a database in another encoding is written as text all the same`, async () => {
    const options = `TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`;
    const latin = await server.createDatabase('latin', options);
    await withClient(latin, async client => {
      await client.query(`CREATE TABLE "größe" (a text DEFAULT 'é'); COMMENT ON TABLE "größe" IS 'ß'`);
      await client.query(`SET client_encoding = 'LATIN1'; BEGIN; SET LOCAL search_path = ''`);
      const ddl = await readCatalogDdl(client);
      assert.ok(ddl.postData.includes(`COMMENT ON TABLE public."größe" IS 'ß'`));
      const { rows } = await client.query<{ e: string }>(`SELECT current_setting('client_encoding') AS e`);
      assert.equal(rows[0]?.e, 'LATIN1');
      const copy = await server.createDatabase('latin_copy', options);
      await write(copy, ddl);
      assert.deepEqual(await read(copy), ddl);
    });
  });

  test(`${name}: a client that is not in a transaction is a mistake of the caller`, async () => {
    await withClient(url, client => assert.rejects(readCatalogDdl(client), TypeError));
  });
}

test('an object that goes away while it is read ends the reading', () => {
  assert.equal(present('CHECK (true)'), 'CHECK (true)');
  assert.throws(() => present(null), { code: 'DATABASE_FAILED' });
});

test('a server whose catalogs are not known is refused, older or newer', () => {
  for (const versionNumber of [130_022, 190_000, 200_001])
    assert.throws(() => checkVersion({ versionNumber }), {
      code: 'DATABASE_UNSUPPORTED',
    });
  for (const versionNumber of [140_000, 180_004]) checkVersion({ versionNumber });
});
