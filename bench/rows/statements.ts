import { type EventKind, type FuzzEvent, isRowKind } from './events.ts';
import { type FuzzTable, fuzzTables, insertSql } from './tables.ts';

/** What one event does: statements for one session, after which text for a COPY … FROM STDIN may follow. */
export interface EventSql {
  readonly statements: readonly string[];
  readonly copy?: { readonly sql: string; readonly text: string };
}

/** Changes of rows: they run as they are within a transaction that is open, else by themselves. */
export function rowSql(event: FuzzEvent): EventSql {
  const table = fuzzTables.find(one => one.name === event.table);
  if (!table || !isRowKind(event.kind))
    throw new TypeError(`Cannot write SQL for ${event.kind} of ${event.table}`);
  const { a, b } = event;
  const tag = tagOf(event);
  const size = Math.max(table.rows, 1);
  const first = a % (size + 200);
  const some = { first, count: 1 + (b % 8), tag };
  const range = where(table, first, 1 + (b % 6));
  const update = updateSql(table, tag);
  switch (event.kind) {
    case 'insert':
      return one(insertSql(table, { ...some, count: b % 9 === 0 ? Math.ceil(size / 3) : some.count }));
    case 'update':
      return one(`${update} WHERE ${range}`);
    case 'update at random':
      return one(`${update} WHERE ${scattered(table, b, 97)}`);
    case 'delete':
      return one(`DELETE FROM ${table.name} WHERE ${range}`);
    case 'delete at random':
      return one(`DELETE FROM ${table.name} WHERE ${scattered(table, b, 53)}`);
    case 'delete the tail':
      return one(`DELETE FROM ${table.name} WHERE ${tailOf(table, 50 + (b % 45))}`);
    case 'touch':
      return one(
        hasRowsById(table) ? `UPDATE ${table.name} SET id = id WHERE ${range}` : `${update} WHERE ${range}`,
      );
    case 'lock rows':
      return one(`SELECT FROM ${table.name} WHERE ${range} FOR ${b % 2 ? 'UPDATE' : 'KEY SHARE'}`);
    case 'roll back':
      return {
        statements: [
          'SAVEPOINT undone',
          insertSql(table, some),
          `DELETE FROM ${table.name} WHERE ${range}`,
          'ROLLBACK TO undone',
        ],
      };
    case 'savepoints':
      return {
        statements: [
          'SAVEPOINT s',
          insertSql(table, some),
          `${update} WHERE ${range}`,
          b % 2 ? 'ROLLBACK TO s' : 'RELEASE s',
          insertSql(table, { ...some, first: first + 1 }),
        ],
      };
    case 'many subtransactions': // more than a backend announces to others (64): they look into pg_subtrans
      return one(`DO $$ BEGIN FOR n IN 0..${70 + (b % 60)} LOOP BEGIN
        ${insertSql(table, { ...some, count: 1 })};
        IF n % 3 = 0 THEN RAISE EXCEPTION 'undone'; END IF;
        EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; END $$`);
    case 'copy in':
      return copyIn(table, { first, count: 1 + (b % 40), tag });
    default:
      return event.kind satisfies never;
  }
}

/** Statements that run by themselves, outside any transaction. */
export function otherSql(event: FuzzEvent): EventSql {
  const { kind, table: heap, a, b, id } = event;
  const table = fuzzTables.find(one => one.heaps.includes(heap)) ?? fuzzTables[0]!;
  const tag = tagOf(event);
  const pages = b % 7 === 0 ? 'pg_catalog.pg_largeobject' : heap;
  switch (kind as Exclude<EventKind, 'insert'>) {
    case 'vacuum':
      return one(`VACUUM ${pages}`);
    case 'vacuum freeze':
      return one(`VACUUM (FREEZE${b % 2 ? ', DISABLE_PAGE_SKIPPING' : ''}) ${pages}`);
    case 'vacuum full':
      return one(`VACUUM FULL ${pages}`);
    case 'cluster':
      if (table.index && table.name !== 'even') return one(`CLUSTER ${table.name} USING ${table.index}`);
      return one(`DO $$ BEGIN IF EXISTS (SELECT FROM pg_index WHERE indexrelid = 'even_up'::regclass AND indisclustered)
        THEN CLUSTER even USING even_down; ELSE CLUSTER even USING even_up; END IF; END $$`);
    case 'analyze':
      return one(`ANALYZE ${heap}`);
    case 'checkpoint':
      return one('CHECKPOINT');
    case 'use up ids':
      return one(
        `DO $$ BEGIN FOR n IN 1..${50 + (b % 400)} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$`,
      );
    case 'large object':
      return one(largeObjectSql(event));
    case 'next values':
      return one(
        b % 5 === 0
          ? `SELECT setval('counted', ${1 + a}, ${b % 2 === 0})`
          : `SELECT nextval('counted') FROM generate_series(1, ${1 + (b % 40)})`,
      );
    case 'truncate':
      return one(`TRUNCATE ${heap}`);
    case 'copy freeze': {
      const { copy } = copyIn(table, { first: a % 100, count: 20 + (b % 200), tag });
      const statements = ['BEGIN', `TRUNCATE ${heap}`];
      return copy
        ? { statements, copy: { ...copy, sql: `${copy.sql} (FREEZE)` } }
        : { statements: [...statements, 'COMMIT'] };
    }
    case 'add column':
      return one(
        hasRowsById(table)
          ? `ALTER TABLE ${table.name} ADD COLUMN extra${id} text DEFAULT '${tag} default'`
          : 'SELECT',
      );
    case 'drop column':
      return one(
        forFirst(
          `SELECT attname FROM pg_attribute WHERE attrelid = '${table.name}'::regclass AND attname LIKE 'extra%' AND NOT attisdropped`,
          `'ALTER TABLE ${table.name} DROP COLUMN %I', found`,
        ),
      );
    case 'change type':
      return one(
        hasRowsById(table)
          ? `ALTER TABLE ${table.name} ALTER id TYPE ${b % 2 ? 'bigint' : 'int'}`
          : `ALTER TABLE plain ALTER k TYPE text USING k || '${tag}'`,
      );
    case 'change type, no rewrite': // the stored bytes stay, their text does not
      return one(`ALTER TABLE typed ALTER at TYPE ${b % 2 ? 'timestamptz' : 'timestamp'}`);
    case 'replace column': // the same names in the same order, without a rewrite
      return {
        statements: [
          'BEGIN',
          `ALTER TABLE ${hasRowsById(table) ? table.name : 'plain'} DROP COLUMN IF EXISTS again`,
          `ALTER TABLE ${hasRowsById(table) ? table.name : 'plain'} ADD COLUMN again text DEFAULT '${tag} again'`,
        ],
      };
    case 'set logged':
      return one(`ALTER TABLE loose SET ${b % 2 ? 'LOGGED' : 'UNLOGGED'}`);
    case 'detach or attach':
      return one(`DO $$ BEGIN
        IF EXISTS (SELECT FROM pg_inherits WHERE inhrelid = 'parts_1'::regclass)
        THEN ALTER TABLE parts DETACH PARTITION parts_1;
        ELSE ALTER TABLE parts ATTACH PARTITION parts_1 FOR VALUES FROM (100) TO (200); END IF; END $$`);
    case 'rename table':
      return one(forFirst(namedTable('named'), `'ALTER TABLE %I RENAME TO named_${id}', found`));
    case 'create table':
      return one(
        `CREATE TABLE made_${id} AS SELECT i AS id, '${tag}' AS k FROM generate_series(1, ${50 + (b % 300)}) i`,
      );
    case 'drop table':
      return one(forFirst(namedTable('made'), `'DROP TABLE %I', found`));
    case 'rename function': // its name is in rows
      return one(
        forFirst(
          "SELECT proname FROM pg_proc WHERE proname LIKE 'called%' ORDER BY oid",
          `'ALTER FUNCTION %I() RENAME TO called_${id}', found`,
        ),
      );
    case 'rename role':
      return one(
        forFirst(
          "SELECT rolname FROM pg_roles WHERE rolname LIKE 'fuzz_role%' ORDER BY oid",
          `'ALTER ROLE %I RENAME TO fuzz_role_${id}', found`,
        ),
      );
    case 'change settings': // what sessions to come begin with
      return one(
        `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET ${settings[b % settings.length]}', current_database()); END $$`,
      );
    case 'rename label':
      return one(
        forFirst(
          `SELECT enumlabel FROM pg_enum WHERE enumtypid = 'mood'::regtype ORDER BY enumsortorder OFFSET ${a % 3}`,
          `'ALTER TYPE mood RENAME VALUE %L TO %L', found, 'label ${id}'`,
        ),
      );
    case 'add attribute':
      return b % 3 === 0
        ? one(
            forFirst(
              `SELECT attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE relname = 'pair' AND attname LIKE 'c%' AND NOT attisdropped`,
              `'ALTER TYPE pair DROP ATTRIBUTE %I', found`,
            ),
          )
        : one(`ALTER TYPE pair ADD ATTRIBUTE c${id} int`);
    default:
      throw new TypeError(`Cannot write SQL for ${kind}`);
  }
}

const settings = [
  "timezone = ''Asia/Tokyo''",
  "datestyle = ''SQL, DMY''",
  "intervalstyle = ''iso_8601''",
  'extra_float_digits = -3',
  "bytea_output = ''escape''",
  'quote_all_identifiers = on',
  "search_path = ''public''",
];

export function tagOf(event: FuzzEvent): string {
  return `e${event.id}`;
}

function one(statement: string): EventSql {
  return { statements: [statement] };
}

function hasRowsById(table: FuzzTable): boolean {
  return table.name !== 'bare';
}

function updateSql(table: FuzzTable, tag: string): string {
  // Nothing can be set in rows without columns.
  return hasRowsById(table) ? `UPDATE ${table.name} SET ${table.set(tag)}` : `DELETE FROM ${table.name}`;
}

function where(table: FuzzTable, first: number, count: number): string {
  if (hasRowsById(table)) return `id BETWEEN ${first} AND ${first + count - 1}`;
  return `ctid = ANY (ARRAY(SELECT ctid FROM ${table.name} OFFSET ${first} LIMIT ${count}))`;
}

function scattered(table: FuzzTable, b: number, part: number): string {
  return hasRowsById(table) ? `id % ${part} = ${b % part}` : where(table, b % 40, 3);
}

function tailOf(table: FuzzTable, percent: number): string {
  if (!hasRowsById(table)) return where(table, 100, 100);
  if (table.heaps[0] !== table.name) return `id > ${Math.floor((table.rows * percent) / 100)}`;
  return `ctid >= format('(%s,0)', pg_relation_size('${table.name}') / 8192 * ${percent} / 100)::tid`;
}

function copyIn(table: FuzzTable, rows: { first: number; count: number; tag: string }): EventSql {
  const { first, count, tag } = rows;
  if (!['plain', 'hot', 'sparse', 'loose', 'tail', 'derived'].includes(table.name))
    return one(insertSql(table, rows));
  const text = Array.from({ length: count }, (_, i) => `${first + i}\t${tag} copied\n`).join('');
  return { statements: [], copy: { sql: `COPY ${table.name} (id, k) FROM STDIN`, text } };
}

function largeObjectSql({ id, a, b }: FuzzEvent): string {
  const bytes = (repeats: number): string => `decode(repeat(md5('e${id}'), ${repeats}), 'hex')`;
  const found = `FROM (SELECT oid FROM pg_largeobject_metadata ORDER BY oid OFFSET ${a % 4} LIMIT 1) o`;
  switch (b % 4) {
    case 0:
      return `SELECT lo_put(oid, ${a % 9000}, ${bytes(20)}) ${found}`;
    case 1:
      return `SELECT lo_unlink(oid) ${found}`;
    default:
      return `SELECT lo_from_bytea(${100_000 + id}, ${bytes(1 + (a % 600))})`;
  }
}

function namedTable(prefix: string): string {
  return `SELECT relname FROM pg_class WHERE relname LIKE '${prefix}%' AND relkind = 'r' ORDER BY oid`;
}

/** Runs a statement made of what a query (`SELECT column FROM …`) finds first; nothing where it finds nothing. */
function forFirst(query: string, formatted: string): string {
  return `DO $$ DECLARE found name; BEGIN ${query.replace(/^SELECT (\w+)/, 'SELECT $1 INTO found')} LIMIT 1;
    IF found IS NOT NULL THEN EXECUTE format(${formatted}); END IF; END $$`;
}
