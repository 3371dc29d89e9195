import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RawChunks, rawChunks } from '../../bench/hostile/chunks.ts';
import { databaseListing } from '../../bench/hostile/database.ts';
import { putListing } from '../../bench/hostile/home.ts';
import { randomFrom } from '../../bench/hostile/random.ts';
import { PropertiesText } from '../../engine/app/properties-text.ts';
import {
  decodeEntry,
  encodeDefinitions,
  encodeSequence,
} from '../../engine/database/postgres/entries/entry.ts';
import { encodeSegment, type SegmentEntry } from '../../engine/database/postgres/entries/segment-entry.ts';
import { checkDefinitions, isCreateRole } from '../../engine/database/postgres/outline/foreign-sql.ts';
import { readOutline } from '../../engine/database/postgres/outline/outline.ts';
import { segmentRows } from '../../engine/database/postgres/rows/reconstruct.ts';
import { identifier, literal, qualified } from '../../engine/database/postgres/sql/quoting.ts';
import { splitStatements } from '../../engine/database/postgres/sql/statements.ts';
import type { Content, Entry } from '../../store/index.ts';

const never = { chance: () => false };
const truthful = { ...randomFrom(1, 1), ...never };
const content = (chunks: RawChunks, bytes: Uint8Array): Content => ({
  length: bytes.length,
  extents:
    bytes.length === 0
      ? []
      : [{ kind: 'chunk', id: chunks.put(bytes, 'data'), offset: 0, length: bytes.length }],
});

const noDefinitions: readonly string[] = [
  "COPY public.t FROM PROGRAM 'touch /tmp/x';",
  "copy public.t to '/etc/cron.d/x';",
  '/* a */ COPY public.t FROM STDIN;',
  '-- CREATE\nCOPY public.t FROM STDIN;',
  'CREATE TABLE a (b int); DROP DATABASE postgres;',
  'DROP TABLE public.t;',
  'DO $$ BEGIN EXECUTE 1; END $$;',
  "DO $multirange$BEGIN IF pg_catalog.current_setting('server_version_num')::integer < 170000 THEN ALTER TYPE a OWNER TO b; DROP TABLE c; END IF; END$multirange$;",
  'CALL public.f();',
  "LOAD 'evil';",
  'COMMIT; CREATE TABLE a (b int);',
  'CREATE DATABASE x;',
  'CREATE ROLE x SUPERUSER;',
  'CREATE USER x SUPERUSER;',
  'ALTER ROLE postgres PASSWORD NULL;',
  "ALTER SYSTEM SET archive_command TO 'x';",
  'GRANT pg_execute_server_program TO app;',
  'SET standard_conforming_strings = off;',
  "SELECT pg_catalog.set_config('standard_conforming_strings', 'off', false);",
  "SELECT pg_catalog.lo_export(1, '/etc/x');",
  "SELECT pg_catalog.pg_read_file('/etc/passwd');",
  '\\! touch /tmp/x\n',
  '\\connect postgres\n',
  '\\i /etc/passwd\n',
  "INSERT INTO pg_catalog.pg_authid VALUES ('x');",
  'WITH x AS (DELETE FROM public.t) SELECT 1;',
  'CREATE TABLE a (b int);\0DROP DATABASE postgres;',
];

const definitions: readonly string[] = [
  "SET statement_timeout = 0;\nSET standard_conforming_strings = on;\nSELECT pg_catalog.set_config('search_path', '', false);",
  "CREATE USER MAPPING FOR app SERVER s OPTIONS (password 'x');",
  'ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT SELECT ON TABLES TO reader;',
  'REVOKE ALL ON SCHEMA public FROM PUBLIC;',
  'DROP SCHEMA public;',
  "COMMENT ON TABLE a IS 'COPY x FROM PROGRAM; DROP DATABASE y; \\! z';",
  'CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END;',
  'SET SESSION AUTHORIZATION app;\nGRANT SELECT ON TABLE t TO x;\nRESET SESSION AUTHORIZATION;',
  "SECURITY LABEL FOR x ON TABLE t IS 'y';",
];

const outlineOf = (entries: (chunks: RawChunks) => readonly Entry[]) => {
  const chunks = rawChunks();
  return readOutline({
    source: chunks,
    root: databaseListing({ random: truthful, chunks }, entries(chunks)),
  });
};
const withSql = (sql: string, section = 'pre-data') =>
  outlineOf(chunks => [encodeDefinitions({ section, sql: content(chunks, Buffer.from(sql)) })]);

for (const sql of noDefinitions)
  test(`definitions with ${JSON.stringify(sql.slice(0, 70))} are refused before anything runs`, async () => {
    await assert.rejects(withSql(sql), { code: 'STORE_DAMAGED' });
  });

test('what a backup writes is not refused', async () => {
  for (const sql of definitions) await withSql(sql);
  await withSql('SELECT pg_catalog.lo_create(1);\0SELECT pg_catalog.lo_create(2);', 'large-objects');
});

test('statements on the database are one each, of a kind that a backup writes', async () => {
  const ends: readonly (readonly [string, string])[] = [
    ['ALTER DATABASE ', ' OWNER TO x; DROP DATABASE postgres'],
    ['DROP DATABASE postgres; ALTER DATABASE ', ' OWNER TO x'],
    ['DROP DATABASE ', ''],
    ['ALTER DATABASE ', ' RENAME TO x'],
    ['ALTER ROLE "a" IN DATABASE "b"; ALTER DATABASE ', ' OWNER TO x'],
  ];
  const chunks = rawChunks();
  for (const databaseSql of ends) {
    const root = databaseListing({ random: truthful, chunks }, [], { databaseSql: [databaseSql] });
    await assert.rejects(readOutline({ source: chunks, root }), { code: 'STORE_DAMAGED' });
  }
});

test('definitions that are a hole of a terabyte are not held', async () => {
  const sql: Content = { length: 0, extents: [{ kind: 'hole', length: 2 ** 40 }] };
  await assert.rejects(
    outlineOf(() => [encodeDefinitions({ section: 'pre-data', sql })]),
    { code: 'STORE_DAMAGED' },
  );
});

test('definitions of more statements or groups than anybody holds are refused', () => {
  const few = { statementsMax: 100 };
  assert.throws(() => checkDefinitions('pre-data', 'CREATE x;'.repeat(101), few), { code: 'STORE_DAMAGED' });
  assert.throws(() => checkDefinitions('large-objects', '\0'.repeat(101), few), { code: 'STORE_DAMAGED' });
  checkDefinitions('pre-data', 'CREATE x;'.repeat(99), few);
});

test('names are quoted, whatever is in them, and a NUL is in none', async () => {
  const name = 'a"; DROP DATABASE "b\'\\';
  assert.deepEqual([...splitStatements(`SELECT * FROM ${qualified({ schema: name, name })};`)].length, 1);
  assert.deepEqual([...splitStatements(`SELECT ${literal(name)};`)].length, 1);
  assert.equal(identifier('a"b'), '"a""b"');
  await assert.rejects(
    outlineOf(() => [{ ...sequence('x'), key: Buffer.from('\x03a\0b\0c\0') }]),
    { code: 'STORE_DAMAGED' },
  );
  await outlineOf(() => [sequence('x'.repeat(100))]); // the server cuts it, and says so
});

const sequence = (name: string): Entry =>
  encodeSequence({ schema: 'public', name, lastValue: 1n, isCalled: true });

test('a role that is proposed to an administrator is made by one statement that does nothing else', () => {
  assert.equal(isCreateRole('CREATE ROLE "app" CREATEDB LOGIN CONNECTION LIMIT 5;'), true);
  for (const line of [
    'CREATE ROLE "app" LOGIN; DROP DATABASE live;',
    'CREATE ROLE "app" IN ROLE pg_execute_server_program;',
    'CREATE ROLE "app" LOGIN PASSWORD \'known\';',
  ])
    assert.equal(isCreateRole(line), false);
});

const segment = (chunks: RawChunks): SegmentEntry => ({
  ...{ schema: 'public', name: 't', first: 0, blocks: 1, baseBlocks: 1, digest: { rows: 1, sum: 1n } },
  rows: content(chunks, Buffer.from('x\n')),
  ctids: content(chunks, Uint8Array.of(1, 1)),
  deltas: [],
});

const segments: readonly (readonly [string, (chunks: RawChunks) => SegmentEntry])[] = [
  ['2⁵³ blocks', chunks => ({ ...segment(chunks), blocks: 2 ** 53 - 1, baseBlocks: 2 ** 53 - 1 })],
  [
    'blocks past the end of a heap',
    chunks => ({ ...segment(chunks), first: 2 ** 32 - 1, blocks: 2, baseBlocks: 2 }),
  ],
  ['a base longer than itself', chunks => ({ ...segment(chunks), baseBlocks: 2 })],
  [
    'rows in a hole',
    chunks => ({ ...segment(chunks), rows: { length: 0, extents: [{ kind: 'hole', length: 10 }] } }),
  ],
  [
    'places of a terabyte',
    chunks =>
      deltaOn(segment(chunks), { ctids: { length: 0, extents: [{ kind: 'hole', length: 2 ** 40 }] } }),
  ],
  [
    'live rows of a terabyte',
    chunks => deltaOn(segment(chunks), { live: { length: 0, extents: [{ kind: 'hole', length: 2 ** 40 }] } }),
  ],
  [
    'a thousand deltas',
    chunks => ({ ...segment(chunks), deltas: Array.from({ length: 1_000 }, () => delta(chunks)) }),
  ],
];

const delta = (chunks: RawChunks): SegmentEntry['deltas'][number] => ({
  ...{ baseXmin: 1n, blocks: 0, rowCount: 0 },
  ...{
    rows: content(chunks, Buffer.alloc(0)),
    ctids: content(chunks, Buffer.alloc(0)),
    live: content(chunks, Buffer.alloc(0)),
  },
});
const deltaOn = (base: SegmentEntry, change: Partial<SegmentEntry['deltas'][number]>): SegmentEntry => ({
  ...base,
  deltas: [{ ...delta(rawChunks()), ...change }],
});

for (const [what, make] of segments)
  test(`a segment with ${what} is refused`, async () => {
    const chunks = rawChunks();
    const read = async (): Promise<void> => {
      const { id } = putListing({ random: truthful, chunks }, [encodeSegment(make(chunks))]);
      assert.ok(id);
      const entry = decodeEntry(await onlyEntry(chunks, make(chunks)));
      if (entry.entry === 'segment') for await (const _ of segmentRows(chunks, entry));
    };
    await assert.rejects(read(), { code: 'STORE_DAMAGED' });
  });

/** As it comes out of a node, where lengths are sums. */
async function onlyEntry(chunks: RawChunks, made: SegmentEntry): Promise<Entry> {
  const { decodeNode } = await import('../../store/listing/decode.ts');
  const { id } = putListing({ random: truthful, chunks }, [encodeSegment(made)]);
  const node = decodeNode(await chunks.get(id, 'metadata'));
  return 'entries' in node ? node.entries[0]! : assert.fail();
}

test('properties are read as Java reads them: the last line counts, and escapes do not hide a key', () => {
  const live = 'jdbc:postgresql://live/x';
  for (const text of [
    `jdbc.url=jdbc:postgresql://twin/x\njdbc.url=${live}\n`,
    `jdbc.url=jdbc:postgresql://twin/x\njdbc.ur\\u006c=${live}\n`,
    `jdbc.url=jdbc:postgresql://twin/x\njdbc\\.url ${live}`,
    `# \\\njdbc.url=jdbc:postgresql://twin/x\n  jdb\\\n   c.url : ${live}\n`,
  ]) {
    const properties = new PropertiesText(text);
    assert.equal(properties.get('jdbc.url'), live);
    const set = properties.with('jdbc.url', 'jdbc:postgresql://set/x');
    assert.equal(set.get('jdbc.url'), 'jdbc:postgresql://set/x');
    assert.doesNotMatch(set.bytes.toString(), /live/);
  }
  const long = `a=${'\\\n'.repeat(200_000)}b\n${'x'.repeat(500_000)}`;
  assert.equal(new PropertiesText(long).get('a'), 'b');
});
