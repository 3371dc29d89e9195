import { type Dice, text } from './dice.ts';

/** A type that columns can have. */
export interface ValueType {
  readonly sql: string;
  /** A value of row `i`, by an expression that names `i`; the same on every server. */
  readonly value: string;
  /** Of a default; may call functions. */
  readonly initial: string;
  /** Can be sorted by the default operator class. */
  readonly isSorted: boolean;
  /** Whether NULL may stand in its place. */
  readonly isRequired: boolean;
  /** Its values can be the key of a partitioned table. */
  readonly partitions?: 'list' | 'hash';
}

const plain = (sql: string, value: string, initial: string, isSorted = true): ValueType => ({
  ...{ sql, value, initial, isSorted },
  isRequired: false,
});

/** Of every server. */
export const builtinTypes: readonly ValueType[] = [
  { ...plain('integer', 'i * 7 - 50', '40 + 2'), partitions: 'hash' },
  { ...plain('bigint', 'i::bigint << 40', 'length(current_schema())::bigint'), partitions: 'hash' },
  plain('smallint', '(i % 100)::smallint', '(-5)::smallint'),
  plain('numeric(20, 4)', 'i / 7.0', '1e3 + 0.5'),
  plain('numeric', "CASE i % 5 WHEN 0 THEN 'NaN' ELSE i ^ 20 END::numeric", "'NaN'"),
  plain('double precision', 'i / 3.0::float8', "'-Infinity'"),
  plain('real', '(i / 3.0)::real', '0.1'),
  {
    ...plain('text', String.raw`'row ' || i || E'\n\t\\ ü'`, String.raw`'it''s' || E'\\n' || 'x'`),
    partitions: 'list',
  },
  plain('varchar(40)', "repeat('é', i % 40)", "upper('abc')::varchar"),
  plain('char(7)', 'chr(65 + i % 26)', "'x'"),
  plain('boolean', 'i % 3 = 0', 'NOT false'),
  plain('bytea', "decode(repeat(md5(i::text), i % 30), 'hex')", String.raw`'\x00ff'`),
  plain('date', "'2000-01-01'::date + i", 'CURRENT_DATE'),
  plain(
    'timestamp with time zone',
    "'2001-02-03 04:05:06.789+05:30'::timestamptz + i * interval '1 h'",
    'now()',
  ),
  plain('timestamp(3)', "'-infinity'::timestamp", "'2020-02-29 12:00'"),
  plain('interval', "i * interval '1 month -2 days 03:04:05.6'", "'1 year'::interval * 2"),
  plain('time', "'00:00'::time + i * interval '7 min'", 'LOCALTIME'),
  plain('uuid', 'md5(i::text)::uuid', "'00000000-0000-0000-0000-000000000001'"),
  plain('json', `('{"a": ' || i || ', "a": "\\u00e9"}')::json`, "'[]'", false),
  plain('jsonb', "jsonb_build_object('i', i, 'l', ARRAY[NULL, 'x'])", "'{}'::jsonb || '{\"k\": 1}'"),
  plain('inet', "'10.0.0.0'::inet + i", "'::1/64'"),
  plain('integer[]', 'ARRAY[i, NULL, -i]', "'{1,2}'"),
  plain('text[]', `ARRAY['a,b', '"q"', 'NULL', '', i::text]`, 'ARRAY[]::text[]'),
  plain('int4range', 'int4range(i, i + 5)', "'[1,3)'"),
  plain('int8multirange', 'int8multirange(int8range(i, i + 2), int8range(i + 9, NULL))', "'{}'"),
  plain('tsvector', "to_tsvector('simple', 'word ' || i)", "'a:1'"),
  plain('point', 'point(i, -i)', "'(0,0)'", false),
  plain('bit varying(9)', '(i % 256)::bit(8)::varbit', "B'101'"),
  plain('money', '(i * 1.5)::numeric::money', '12.34::money'),
  plain('xml', "('<a b=\"' || i || '\"/>')::xml", "'<x/>'", false),
  plain('regclass', "'pg_class'::regclass", "'pg_type'::regclass"),
];

/** Makes types of one's own, which may hold each other. */
export function makeType(
  dice: Dice,
  job: { readonly name: string; readonly types: readonly ValueType[]; readonly fieldName: () => string },
): { readonly sql: readonly string[]; readonly type: ValueType } {
  const { name, types } = job;
  switch (dice.below(4)) {
    case 0: {
      const labels = ['first', '', "it's", 'Ünï "q"', 'a,b', ' '].slice(0, 2 + dice.below(5));
      const members = labels.map(one => `"${one.replaceAll('"', '\\"')}"`);
      const value = `(${text(`{${members}}`)}::${name}[])[1 + i % ${labels.length}]`;
      return {
        sql: [`CREATE TYPE ${name} AS ENUM (${labels.map(text).join(', ')})`],
        type: {
          ...{ sql: name, value, initial: `'first'::${name}` },
          ...{ isSorted: true, isRequired: false, partitions: 'hash' },
        },
      };
    }
    case 1: {
      const parts = Array.from({ length: 1 + dice.below(4) }, () => dice.pick(types));
      const fields = parts.map(one => `${job.fieldName()} ${one.sql}`);
      return {
        sql: [`CREATE TYPE ${name} AS (${fields.join(', ')})`],
        type: {
          ...{ sql: name, value: `ROW(${parts.map(one => one.value).join(', ')})::${name}` },
          ...{ initial: `NULL::${name}`, isSorted: false, isRequired: false },
        },
      };
    }
    case 2: {
      const base = dice.pick(types);
      const isRequired = dice.oneIn(4);
      return {
        sql: [
          `CREATE DOMAIN ${name} AS ${base.sql}${dice.oneIn(2) ? ` DEFAULT (${base.initial})` : ''}${isRequired ? ' NOT NULL' : ''}`,
          ...(dice.oneIn(2)
            ? [
                `ALTER DOMAIN ${name} ADD CONSTRAINT ${job.fieldName()} CHECK (VALUE IS DISTINCT FROM NULL OR true)`,
              ]
            : []),
          ...(dice.oneIn(3) ? [`COMMENT ON DOMAIN ${name} IS ${text('a "domain"\nof its own')}`] : []),
        ],
        type: {
          ...{
            sql: name,
            value: `(${base.value})::${name}`,
            initial: `(${base.value.replaceAll(/\bi\b/g, '3')})::${name}`,
          },
          ...{ isSorted: false, isRequired: isRequired || base.isRequired },
        },
      };
    }
    default: {
      const subtype = dice.pick(['integer', 'text', 'date', 'numeric', 'uuid']);
      return {
        sql: [`CREATE TYPE ${name} AS RANGE (subtype = ${subtype})`],
        type: plain(name, `'empty'::${name}`, `'empty'::${name}`),
      };
    }
  }
}

/** An array of it. */
export function arrayOf(type: ValueType): ValueType {
  return {
    ...{ sql: `${type.sql}[]`, value: `ARRAY[${type.value}]::${type.sql}[]`, initial: `'{}'::${type.sql}[]` },
    ...{ isSorted: false, isRequired: false },
  };
}
