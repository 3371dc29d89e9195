import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSchema, openDatabase } from '../../../../bench/instance/database.ts';
import { createInstanceDatabase } from '../../../../bench/instance/index.ts';
import { seedRows } from '../../../../bench/instance/seed-rows.ts';
import type { PostgresServer } from '../../../../bench/servers/index.ts';
import { assertDatabasesEqual } from '../../../helpers/database-equal.ts';
import { memoryChunks } from '../../../helpers/memory-chunks.ts';
import { backUp, onServers, restore, sql } from './on-servers.ts';

/** The application's database with its rows, and on top what else a superuser finds in one. */
async function makeRich(server: PostgresServer, name: string): Promise<string> {
  const url = await createInstanceDatabase(server, name);
  const database = await openDatabase(url);
  try {
    await loadSchema(database);
    await seedRows(database, { repositories: 20, rows: 4000 });
  } finally {
    await database.close();
  }
  const asSuperuser = server.url(name);
  await sql(
    asSuperuser,
    `COMMENT ON DATABASE ${name} IS 'It''s \\ the one';
     ALTER DATABASE ${name} SET work_mem = '5MB';
     ALTER DATABASE ${name} SET search_path = "$user", public, 'odd "one"';
     ALTER DATABASE ${name} CONNECTION LIMIT 50;
     GRANT CONNECT ON DATABASE ${name} TO instance_reader WITH GRANT OPTION;
     REVOKE TEMPORARY ON DATABASE ${name} FROM PUBLIC;
     GRANT SELECT ON LARGE OBJECT ${await firstObject(asSuperuser)} TO instance_reader;
     COMMENT ON LARGE OBJECT ${await firstObject(asSuperuser)} IS 'a blob';
     SELECT lo_create(4001), lo_put(lo_create(4002), 100000, 'far'), lo_truncate(lo_open(lo_create(4003), 131072), 4096);
     BEGIN; SELECT lo_truncate(lo_open(lo_create(4004), 131072), 4096); SELECT lo_put(4004, 9000, 'end'); COMMIT`,
  );
  return asSuperuser;
}

async function firstObject(url: string): Promise<string> {
  const [row] = await sql<{ oid: string }>(
    url,
    'SELECT min(oid::bigint)::text AS oid FROM pg_largeobject_metadata',
  );
  return row!.oid;
}

// One of everything that COPY text must carry, and of every shape that a table can have.
const oddTables = `
CREATE SCHEMA odd;
CREATE TABLE odd.texts (id int, t text);
INSERT INTO odd.texts VALUES (1, E'a\\nb'), (2, E'\\\\'), (3, E'\\\\N'), (4, NULL), (5, ''), (6, E'\\t\\r\\b\\f\\v'),
  (7, E'\\\\.'), (8, '.'), (9, repeat('x', 3000000)), (10, E'ends in \\\\'), (11, E'\\n'), (12, '(0,1)');
CREATE TABLE odd.bytes (b bytea);
INSERT INTO odd.bytes SELECT decode(string_agg(lpad(to_hex(i), 2, '0'), ''), 'hex') FROM generate_series(0, 255) i;
CREATE TABLE odd.dropped (a int, gone text, b int DEFAULT 7, doubled int GENERATED ALWAYS AS (b * 2) STORED);
INSERT INTO odd.dropped (a, gone) SELECT i, 'x' FROM generate_series(1, 10) i;
ALTER TABLE odd.dropped DROP COLUMN gone;
ALTER TABLE odd.dropped ADD COLUMN late text DEFAULT 'was not there';
INSERT INTO odd.dropped (a, late) VALUES (11, NULL);
CREATE TABLE odd.computed (only_this int GENERATED ALWAYS AS (3) STORED);
INSERT INTO odd.computed DEFAULT VALUES; INSERT INTO odd.computed DEFAULT VALUES;
CREATE TABLE odd.columnless (); INSERT INTO odd.columnless SELECT FROM generate_series(1, 5);
CREATE TABLE odd.empty (a int PRIMARY KEY);
CREATE TABLE odd.floats (r real, d double precision, n numeric);
INSERT INTO odd.floats VALUES ('NaN', '-0', 'NaN'), ('Infinity', '-Infinity', 'Infinity'), (1.1, 0.1, 1e100),
  (3.4028235e38, 5e-324, -0.000);
CREATE TABLE odd.times (ts timestamptz, d date, i interval, t timetz);
INSERT INTO odd.times VALUES ('infinity', '-infinity', '1 year -2 days 03:04:05.000006', '12:00:00.5-03:30'),
  ('4713-01-01 00:00 BC', '0044-03-15 BC', '-1 mon', '24:00+00');
CREATE TABLE odd.others (j json, b jsonb, u uuid, n inet, m macaddr8, v varbit, s tsvector, q tsquery, l pg_lsn,
  p path, o polygon, c circle, r numrange, mr int4multirange, x xid8, cl regclass, ar int[][], am money, ch char(5));
INSERT INTO odd.others VALUES ('{"a": 1,  "a": "\\n"}', '{"a": [1, null, "\\t"]}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
  '::1/64', '08:00:2b:01:02:03:04:05', B'10101', 'a:1 b:2', 'a & !b', '16/B374D848', '[(0,0),(1,1)]', '((0,0),(1,1),(1,0))',
  '<(0,0),3>', '[1.5,)', '{[1,3),[7,9)}', '12345678901', 'odd.texts', '[2:3][0:1]={{1,2},{3,NULL}}', -1234.56, 'ab');
CREATE TABLE odd."va""lu\\es" ("q""uo\\ted" int, "select" text);
INSERT INTO odd."va""lu\\es" VALUES (1, 'x');
CREATE TABLE odd.sparse (id int, filler text);
INSERT INTO odd.sparse SELECT i, repeat('y', 500) FROM generate_series(1, 4000) i;
DELETE FROM odd.sparse WHERE id % 97 <> 0;
CREATE UNLOGGED TABLE odd.unlogged (a int); INSERT INTO odd.unlogged VALUES (1);
CREATE SEQUENCE odd.never_called START 42; CREATE SEQUENCE odd.called; SELECT nextval('odd.called'), nextval('odd.called');
CREATE SEQUENCE odd.at_the_end MAXVALUE 9223372036854775807; SELECT setval('odd.at_the_end', 9223372036854775807);
`;

onServers(server => {
  test('everything comes back equal', async t => {
    const url = await makeRich(server(), 'rich');
    await sql(url, oddTables);
    const chunks = memoryChunks();
    const result = await backUp(url, chunks);
    assert.equal(result.publishable, true);
    assert.equal(result.largeObjects, 17);
    assert.equal(result.warnings.length, 0);

    const stored = chunks.count('data');
    const again = await backUp(url, chunks);
    assert.equal(chunks.count('data'), stored, 'an unchanged database stores no data twice');
    assert.equal(again.catalogFingerprint, result.catalogFingerprint);

    const target = server().url('rich_again');
    const restored = await restore(target, { chunks, result }, { writers: 3 });
    assert.equal(restored.rows, result.rows);
    assert.equal(restored.tables, result.tables);
    assert.deepEqual(restored.warnings, []);
    await assertDatabasesEqual(url, target, { pgDump: server().clientDir, materialized: true });
    t.diagnostic(
      `${result.ddlSource}: ${result.tables} tables, ${result.rows} rows, ${result.segments} segments`,
    );
  });

  test('definitions read from the catalogs serve as well', async t => {
    if (server().clientDir === null) return t.skip('the test above did that: this server has no pg_dump');
    const url = await makeRich(server(), 'by_catalog');
    const chunks = memoryChunks();
    const result = await backUp(url, chunks, { pgDump: null });
    assert.equal(result.ddlSource, 'catalog');
    const target = server().url('by_catalog_again');
    await restore(target, { chunks, result });
    await assertDatabasesEqual(url, target, { pgDump: server().clientDir, materialized: true });
  });

  test('a database without the schema public comes back without it', async () => {
    const url = await server().createDatabase('private');
    await sql(url, 'DROP SCHEMA public; CREATE SCHEMA own; CREATE TABLE own.t AS SELECT 1 AS a');
    const chunks = memoryChunks();
    const result = await backUp(url, chunks);
    const target = server().url('private_again');
    await restore(target, { chunks, result });
    await assertDatabasesEqual(url, target, { pgDump: server().clientDir });
  });

  for (const [encoding, text] of [
    ['LATIN1', "E'Gr\\u00f6\\u00dfe'"],
    ['EUC_JP', "U&'\\65E5\\672C'"],
    ['SQL_ASCII', "E'\\xff\\xfe\\n\\x80'"],
  ] as const)
    test(`a database in ${encoding} keeps its bytes`, async () => {
      const name = encoding.toLowerCase();
      const url = await server().createDatabase(name, `TEMPLATE template0 ENCODING '${encoding}' LOCALE 'C'`);
      await sql(
        url,
        `${encoding === 'SQL_ASCII' ? 'SET client_encoding = SQL_ASCII;' : ''}
         CREATE TABLE public.words (id int, word text);
         INSERT INTO public.words VALUES (1, ${text}), (2, 'plain');
         ${encoding === 'LATIN1' ? 'CREATE TABLE public."Größe" ("ä" text); INSERT INTO public."Größe" VALUES (\'ö\');' : ''}`,
      );
      const chunks = memoryChunks();
      const result = await backUp(url, chunks);
      const target = server().url(`${name}_again`);
      await restore(target, { chunks, result });
      const bytes = (at: string) =>
        sql(
          at,
          `SELECT pg_encoding_to_char(encoding) AS encoding,
             (SELECT array_agg(word::bytea::text ORDER BY id) FROM public.words) AS words
           FROM pg_database WHERE datname = current_database()`.replace(
            'word::bytea',
            'convert_to(word, getdatabaseencoding())',
          ),
        );
      assert.deepEqual(await bytes(target), await bytes(url));
      if (encoding !== 'SQL_ASCII') await assertDatabasesEqual(url, target);
    });
});
