import { type Context, keyOf } from './definitions.ts';
import type { Flag } from './query.ts';
import type { Relations } from './relations.ts';
import { firstUserOid, isUserSchema, qualified } from './sql.ts';

interface SequenceRow {
  readonly oid: string;
  readonly name: string;
  readonly owner: string;
  readonly persistence: 'p' | 'u';
  readonly type: string;
  readonly type_oid: string;
  readonly start: string;
  readonly increment: string;
  readonly minimum: string;
  readonly maximum: string;
  readonly cache: string;
  readonly cycles: Flag;
  /** Owned by a column ('a') or its identity ('i'). */
  readonly bond: 'a' | 'i' | null;
  readonly table_oid: string | null;
  readonly column_number: string | null;
}

/** Sequences, with every option spelled out; where they stand is data. */
export async function readSequences(context: Context, relations: Relations): Promise<void> {
  const rows = await context.select<SequenceRow>(
    `SELECT c.oid, ${qualified('n', 'c.relname')} AS name, c.relpersistence AS persistence,
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner)) AS owner,
       pg_catalog.format_type(s.seqtypid, NULL) AS type, s.seqtypid AS type_oid, s.seqstart AS start,
       s.seqincrement AS increment, s.seqmin AS minimum, s.seqmax AS maximum, s.seqcache AS cache, s.seqcycle AS cycles,
       d.deptype AS bond, d.refobjid AS table_oid, d.refobjsubid AS column_number
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
       LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
         AND d.objsubid = 0 AND d.refclassid = d.classid AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
     WHERE c.oid >= ${firstUserOid} AND ${isUserSchema('n')} AND c.relkind = 'S'`,
  );
  for (const row of rows) {
    const key = keyOf('pg_class', row.oid);
    if (context.members.has(key)) continue;
    context.definitions.labels.set(key, `SEQUENCE ${row.name}`);
    context.definitions.grantLabels.set(key, `SEQUENCE ${row.name}`);
    if (row.bond === 'i') addIdentity(context, row, relations);
    else addSequence(context, row, relations);
  }
}

function addSequence({ definitions }: Context, row: SequenceRow, relations: Relations): void {
  const key = keyOf('pg_class', row.oid);
  const unlogged = row.persistence === 'u' ? 'UNLOGGED ' : '';
  definitions.add(
    {
      kind: 'sequence',
      name: row.name,
      statements: [`CREATE ${unlogged}SEQUENCE ${row.name} AS ${row.type}${optionsOf(row)}`],
    },
    key,
  );
  const table = relations.get(row.table_oid ?? '');
  const column = table?.columns.find(({ number }) => number === row.column_number);
  if (!table || !column) {
    definitions.owners.push({ label: `SEQUENCE ${row.name}`, role: row.owner });
    return;
  }
  // Its role is always that of the table, and follows it.
  definitions.add({
    kind: 'owned sequence',
    name: row.name,
    statements: [`ALTER SEQUENCE ${row.name} OWNED BY ${table.name}.${column.name}`],
    after: [key, table.key],
  });
}

function addIdentity({ server, definitions }: Context, row: SequenceRow, relations: Relations): void {
  const table = relations.get(row.table_oid ?? '');
  const column = table?.columns.find(({ number }) => number === row.column_number);
  if (!table || !column) return; // unclaimed, so it is refused by name
  const mode = column.identity === 'a' ? 'ALWAYS' : 'BY DEFAULT';
  const alter = `ALTER TABLE ${table.name} ALTER COLUMN ${column.name}`;
  const persistence = server.versionNumber >= 150_000 ? table.persistence : 'p';
  const statements = [
    `${alter} ADD GENERATED ${mode} AS IDENTITY (SEQUENCE NAME ${row.name}${optionsOf(row)})`,
    ...(row.type_oid === column.typeOid ? [] : [`ALTER SEQUENCE ${row.name} AS ${row.type}`]),
    ...(row.persistence === persistence
      ? []
      : [`ALTER SEQUENCE ${row.name} SET ${row.persistence === 'u' ? 'UNLOGGED' : 'LOGGED'}`]),
  ];
  const item = { kind: 'identity', name: row.name, statements, after: [table.key] } as const;
  definitions.add(item, keyOf('pg_class', row.oid));
}

function optionsOf(row: SequenceRow): string {
  return [
    ` START WITH ${row.start} INCREMENT BY ${row.increment} MINVALUE ${row.minimum} MAXVALUE ${row.maximum}`,
    ` CACHE ${row.cache}`,
    row.cycles === 't' ? ' CYCLE' : ' NO CYCLE',
  ].join('');
}
