/** A table of the fuzzed database: how its rows are made and changed. `tag` tells one event's values from another's. */
export interface FuzzTable {
  readonly name: string;
  readonly create: readonly string[];
  /** Rows to begin with; their ids run from 0. */
  readonly rows: number;
  /** What is done once they are there. */
  readonly after: readonly string[];
  /** `(columns) SELECT …` over a series of ids `i`. */
  readonly values: (tag: string) => string;
  /** What an UPDATE sets. */
  readonly set: (tag: string) => string;
  /** Relations that have rows: the partitions of a partitioned table. */
  readonly heaps: readonly string[];
  /** What CLUSTER goes by. */
  readonly index: string | null;
}

type Given = Partial<FuzzTable> & Pick<FuzzTable, 'name' | 'create' | 'rows'>;

function fuzzTable(given: Given): FuzzTable {
  return {
    values: tag => `(id, k) SELECT i, '${tag} ' || repeat('v', i % 60)`,
    set: tag => `k = '${tag} ' || id`,
    heaps: [given.name],
    index: null,
    after: [],
    ...given,
  };
}

/** Rows go by their ids in all of them but one: `bare` has no column at all. */
export const fuzzTables: readonly FuzzTable[] = [
  fuzzTable({
    name: 'plain',
    create: ['CREATE TABLE plain (id int, k text)', 'CREATE INDEX plain_id ON plain (id)'],
    rows: 1800,
    index: 'plain_id',
  }),
  fuzzTable({
    name: 'hot',
    create: [
      'CREATE TABLE hot (id int, k text, n int DEFAULT 0) WITH (fillfactor = 60)',
      'CREATE INDEX hot_id ON hot (id)',
    ],
    rows: 1200,
    set: tag => `n = n + 1, k = '${tag}'`,
    index: 'hot_id',
  }),
  // Out of line without compression: its segments are few blocks long.
  fuzzTable({
    name: 'wide',
    create: ['CREATE TABLE wide (id int, k text, v text)', 'ALTER TABLE wide ALTER v SET STORAGE EXTERNAL'],
    rows: 120,
    values: tag => `(id, k, v) SELECT i, '${tag}', repeat(md5('${tag}' || i), 60 + i % 90)`,
    set: tag => `k = '${tag}', v = CASE WHEN id % 3 = 0 THEN v ELSE repeat(md5('${tag}' || id), 70) END`,
  }),
  // A row or two in each block: many blocks, so several segments, and little to read.
  fuzzTable({
    name: 'sparse',
    create: ['CREATE TABLE sparse (id int, k text) WITH (fillfactor = 10)'],
    rows: 5600,
    after: ['DELETE FROM sparse WHERE id % 4 <> 0'],
    values: tag => `(id, k) SELECT i, repeat('${tag} ', 24)`,
    set: tag => `k = repeat('${tag} ', (20 + id % 8)::int)`,
  }),
  fuzzTable({
    name: 'parts',
    create: [
      'CREATE TABLE parts (id int, k text, region int) PARTITION BY RANGE (region)',
      'CREATE TABLE parts_0 PARTITION OF parts FOR VALUES FROM (0) TO (100)',
      'CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (100) TO (200) WITH (fillfactor = 50)',
      'CREATE TABLE parts_rest PARTITION OF parts DEFAULT',
    ],
    rows: 900,
    values: tag => `(id, k, region) SELECT i, '${tag}', (i * 7) % 300`,
    set: tag => `k = '${tag}', region = CASE WHEN id % 5 = 0 THEN (region + 100) % 300 ELSE region END`,
    heaps: ['parts_0', 'parts_1', 'parts_rest'],
  }),
  fuzzTable({ name: 'loose', create: ['CREATE UNLOGGED TABLE loose (id int, k text)'], rows: 800 }),
  fuzzTable({
    name: 'typed',
    create: [
      "CREATE TYPE mood AS ENUM ('low', 'mid', 'high')",
      'CREATE TYPE pair AS (a int, b text)',
      'CREATE DOMAIN small AS int CHECK (VALUE < 1000000000)',
      `CREATE TABLE typed (id int, m mood, ms mood[], p pair, ps pair[], s small, r int4range, j jsonb, at timestamp, b bytea,
        x numeric(12, 3), f float8, d interval, ref regclass, fn regproc)`,
      'CREATE TABLE named (id int)',
      "CREATE FUNCTION called() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
    rows: 700,
    values:
      tag => `(id, m, ms, p, ps, s, r, j, at, b, x, f, d, ref, fn) SELECT i, (enum_range(NULL::mood))[1 + i % 3],
      enum_range(NULL::mood), ${pairOf(tag)}, ARRAY[${pairOf(tag)}], i, int4range(i, i + 5), jsonb_build_object('k', '${tag}'),
      '2026-01-01'::timestamp + i * interval '1 minute', decode(md5('${tag}'), 'hex'), i / 7.0, i / 7.0::float8,
      i * interval '1 hour',
      (SELECT oid::regclass FROM pg_class WHERE relname LIKE 'named%' AND relkind = 'r'),
      (SELECT oid::regproc FROM pg_proc WHERE proname LIKE 'called%')`,
    set: tag => `j = jsonb_build_object('k', E'${tag}\\tand a tab'), m = (enum_range(NULL::mood))[1 + (id + ${tag.length}) % 3],
      ps = CASE WHEN id % 2 = 0 THEN NULL ELSE ps END, f = f * 1.1`,
  }),
  fuzzTable({
    name: 'bare',
    create: ['CREATE TABLE bare ()'],
    rows: 300,
    values: () => 'SELECT',
    set: () => '',
  }),
  // All of a size: written anew in another order it has as many in each block.
  fuzzTable({
    name: 'even',
    create: [
      'CREATE TABLE even (id int, k char(120))',
      'CREATE INDEX even_up ON even (id)',
      'CREATE INDEX even_down ON even (id DESC)',
    ],
    rows: 500,
    values: tag => `(id, k) SELECT i, '${tag}'`,
    set: tag => `k = '${tag}'`,
    index: 'even_up',
  }),
  fuzzTable({ name: 'tail', create: ['CREATE TABLE tail (id int, k text)'], rows: 2500 }),
  fuzzTable({
    name: 'elder',
    create: ['CREATE TABLE elder (id int, k text)', 'CREATE TABLE younger () INHERITS (elder)'],
    rows: 300,
    after: ['INSERT INTO younger SELECT * FROM elder WHERE id % 2 = 0'],
    heaps: ['elder', 'younger'],
  }),
  // Names that no catalog of this database holds.
  fuzzTable({
    name: 'held',
    create: [
      `DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname LIKE 'fuzz_role%') THEN CREATE ROLE fuzz_role; END IF; END $$`,
      'CREATE TABLE held (id int, k text, who regrole, grants aclitem[])',
      'CREATE SEQUENCE counted',
    ],
    rows: 90,
    values:
      tag => `(id, k, who, grants) SELECT i, '${tag}', r.oid, ARRAY[makeaclitem(r.oid, 10, 'SELECT', false)]
      FROM (SELECT oid FROM pg_roles WHERE rolname LIKE 'fuzz_role%') r,`,
  }),
  fuzzTable({
    name: 'derived',
    create: [
      'CREATE TABLE derived (id int, k text, twice int GENERATED ALWAYS AS (id * 2) STORED, own int GENERATED ALWAYS AS IDENTITY)',
    ],
    rows: 600,
  }),
  fuzzTable({
    name: 'odd',
    create: ['CREATE TABLE odd (id int, k text, "the ""one""" text)'],
    rows: 200,
    values: tag =>
      `(id, k, "the ""one""") SELECT i, E'${tag}\\n\\\\N\\\\.\\t\\r', CASE WHEN i % 3 = 0 THEN NULL ELSE '\\N' END`,
    set: tag => `k = E'\\\\${tag}\\n' || id`,
  }),
];

/** Keeps its shape when attributes are added to the type. */
function pairOf(tag: string): string {
  return `jsonb_populate_record(NULL::pair, jsonb_build_object('a', i, 'b', '${tag}, "quoted"'))`;
}

export function insertSql(table: FuzzTable, options: { first: number; count: number; tag: string }): string {
  const { first, count, tag } = options;
  const values = table.values(tag);
  const from = values.endsWith(',') ? '' : ' FROM';
  return `INSERT INTO ${table.name} ${values}${from} generate_series(${first}, ${first + count - 1}) i`;
}

/** Statements that fill an empty database. */
export function schemaSql(): string[] {
  return fuzzTables.flatMap(table => [
    ...table.create,
    insertSql(table, { first: 0, count: table.rows, tag: 'first' }),
    ...table.after,
  ]);
}
