import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { statementsFor } from '../../../../../engine/database/postgres/restore/older-server.ts';
import { splitStatements } from '../../../../../engine/database/postgres/sql/statements.ts';
import { projectRoot } from '../../../../helpers/project.ts';

const cases: readonly (readonly [string, readonly string[]])[] = [
  ['select 1;select 2', ['select 1;', 'select 2']],
  ["select 'a;b' || 'it''s;';x;", ["select 'a;b' || 'it''s;';", 'x;']],
  ["select E'a\\';b', e'\\\\';x;", ["select E'a\\';b', e'\\\\';", 'x;']],
  ["select 'a\\';x;", ["select 'a\\';", 'x;']],
  ['select "a;""b";x;', ['select "a;""b";', 'x;']],
  ['select $$a;b$$;select $x$ $$ ; $x$;', ['select $$a;b$$;', 'select $x$ $$ ; $x$;']],
  ['select a$b$c; x;', ['select a$b$c;', ' x;']],
  ['select $größe$;$größe$; x;', ['select $größe$;$größe$;', ' x;']],
  ['-- a;\nx; /* b; /* c; */ d; */ y;', ['-- a;\nx;', ' /* b; /* c; */ d; */ y;']],
  ['create rule r as on insert to t do (a; b); x;', ['create rule r as on insert to t do (a; b);', ' x;']],
  [
    'CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN b END; END; x;',
    [
      'CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN b END; END;',
      ' x;',
    ],
  ],
  ['begin; select case when a then b end; end;', ['begin;', ' select case when a then b end;', ' end;']],
  ['create table begin_end (a int); x;', ['create table begin_end (a int);', ' x;']],
  [' ; ;\n-- nothing\n', []],
  ['', []],
  ["select 'never closed; x;", ["select 'never closed; x;".slice(0, 21), ' x;']],
];

for (const [sql, statements] of cases)
  test(`splits ${JSON.stringify(sql.slice(0, 60))}`, () => {
    assert.deepEqual([...splitStatements(sql)], statements);
  });

test('a whole schema loses nothing', () => {
  const sql = readFileSync(join(projectRoot, 'bench/instance/schema.sql'), 'utf8').trimEnd();
  const statements = [...splitStatements(sql)];
  assert.equal(statements.join(''), sql);
  assert.equal(
    statements.every(one => one.endsWith(';')),
    true,
  );
  assert.equal(statements.length > 100, true);
});

test('what a newer pg_dump says of an identity is left out for a server that has no word for it', () => {
  const sql = `--\n-- Name: t\n--\n\nALTER TABLE public.t ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.t_id_seq
    LOGGED
    START WITH 1
);
COMMENT ON TABLE public.t IS '
    LOGGED
';`;
  assert.deepEqual(statementsFor(150_000, sql), [...splitStatements(sql)]);
  const [alter, comment] = statementsFor(140_023, sql);
  assert.ok(alter!.includes('t_id_seq\n    START'));
  assert.equal(comment, [...splitStatements(sql)][1]);
});
