import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takeMakings } from '../../../../../engine/database/postgres/restore/make-indexes.ts';
import { assertDatabasesEqual } from '../../../../helpers/database-equal.ts';
import { memoryChunks } from '../../../../helpers/memory-chunks.ts';
import { backUp, onServers, restore, sql } from '../on-servers.ts';

const tables = [
  { schema: 'public', name: 'large', heapBlocks: 5_000 },
  { schema: 'public', name: 'La"rge. ', heapBlocks: 9_000 },
  { schema: 'public', name: 'small', heapBlocks: 5 },
];
const index = '\n-- of it\nCREATE INDEX i ON public.large USING btree (a);';
const key = '\nALTER TABLE ONLY public.large\n    ADD CONSTRAINT large_pkey PRIMARY KEY (a);';
const ofOther = 'CREATE UNIQUE INDEX "on" ON public."La""rge. " USING btree (a) WHERE (b = \'x;\');';

test('keys and indexes of large tables come early, the largest table first, keys before indexes', () => {
  const { early, others } = takeMakings([index, key, ofOther], tables);
  assert.deepEqual(
    early.map(({ statement }) => statement),
    [ofOther, key, index],
  );
  assert.deepEqual(others, []);
});

test('what is no key or index of a large table stays in its order', () => {
  const others = [
    'CREATE INDEX s ON public.small USING btree (a);',
    'CREATE INDEX i ON ONLY public.large USING btree (a);',
    'ALTER TABLE ONLY public.large\n    ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES public.small(a);',
    'ALTER TABLE ONLY public.large\n    ADD CONSTRAINT k UNIQUE USING INDEX i;',
    'ALTER TABLE ONLY public.large\n    ADD CONSTRAINT e EXCLUDE USING gist (a WITH &&);',
    'ALTER INDEX public.i ATTACH PARTITION public.j;',
    "COMMENT ON INDEX public.i IS 'CREATE INDEX i ON public.large USING btree (a);';",
    'CREATE TRIGGER t AFTER INSERT ON public.large FOR EACH ROW EXECUTE FUNCTION public.f();',
  ];
  const taken = takeMakings([...others.slice(0, 4), index, ...others.slice(4)], tables);
  assert.deepEqual(taken.others, others);
  assert.equal(taken.early.length, 1);
});

test('a setting holds for what is made after it, and for the rest, too', () => {
  const set = "\nSET default_tablespace = 'fast';";
  const { early, others } = takeMakings([key, set, index], tables);
  assert.deepEqual(
    early.map(({ settings }) => settings),
    [[], ["SET LOCAL default_tablespace = 'fast';"]],
  );
  assert.deepEqual(others, [set]);
});

test('where an index may need something that is made after the rows, all is made in order', () => {
  for (const before of [
    'CREATE FUNCTION public.f(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END;',
    'CREATE OR REPLACE VIEW public.v AS SELECT 1;',
    'SET SESSION AUTHORIZATION somebody;',
    'SET ROLE somebody;',
    'RESET ALL;',
  ]) {
    assert.deepEqual(takeMakings([before, index], tables), { early: [], others: [before, index] });
  }
});

/** Of rows of 2 KB. */
const made = (name: string, rows: number): string => `
  CREATE TABLE ${name} (a int PRIMARY KEY, b int UNIQUE, c text);
  ALTER TABLE ${name} ALTER c SET STORAGE PLAIN;
  INSERT INTO ${name} SELECT i, -i, repeat('x', 1900) FROM generate_series(1, ${rows}) i;
  CREATE INDEX ON ${name} (b, a);
  CREATE INDEX ON ${name} ((a % 10)) WHERE a > 5;`;

onServers(server => {
  test('tables of some size come back with their keys, indexes and references', async () => {
    const url = await server().createDatabase('indexed');
    await sql(
      url,
      `${made('public.one', 1100)}${made('public.two', 1100)}${made('public."La""rge"', 4400)}
       ALTER TABLE public.one ADD FOREIGN KEY (a) REFERENCES public.two (a);`,
    );
    const chunks = memoryChunks();
    const result = await backUp(url, chunks);
    const target = server().url('indexed_again');
    await restore(target, { chunks, result });
    await assertDatabasesEqual(url, target);
  });
});
