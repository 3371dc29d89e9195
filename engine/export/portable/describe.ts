import type { RelationEntry } from '../../database/postgres/entries/relation-entry.ts';
import {
  type Declared,
  type DeclaredColumn,
  type DeclaredTable,
  nameKey,
} from '../../database/postgres/sql/declared.ts';
import type { WrittenFile } from '../archive.ts';
import type { CsvCounts } from './csv.ts';
import { type NeutralType, neutralType } from './types.ts';

/** A column of a CSV file, with its type for others and for PostgreSQL. */
export interface DescribedColumn {
  readonly name: string;
  readonly type: NeutralType;
  readonly postgresqlType: string | null;
  readonly required: boolean;
  readonly identity: boolean;
  readonly comment: string | null;
}

const largeObjectColumns: readonly DescribedColumn[] = (
  [
    ['loid', 'oid', 'the object'],
    ['pageno', 'integer', 'which 2048 bytes of it; what is missing is zeros'],
    ['data', 'bytea', 'the bytes'],
  ] as const
).map(([name, type, comment]) => ({
  name,
  type: neutralType(type, new Map()),
  postgresqlType: type,
  required: true,
  identity: false,
  comment,
}));

/** The columns that a table's rows have, in their order; those that nobody declared are text as PostgreSQL writes it. */
export function describeColumns(relation: RelationEntry, declared: Declared): readonly DescribedColumn[] {
  if (relation.kind === 'large-objects') return largeObjectColumns;
  const table = declared.tables.get(nameKey(relation));
  return relation.columns.map(name => {
    const column = table?.columns.find(one => one.name === name);
    return describeColumn(name, column, declared);
  });
}

function describeColumn(
  name: string,
  column: DeclaredColumn | undefined,
  { types }: Declared,
): DescribedColumn {
  return {
    name,
    type: column ? neutralType(column.type, types) : { type: 'other' },
    postgresqlType: column?.type ?? null,
    required: column?.isRequired ?? false,
    identity: column?.isIdentity ?? false,
    comment: column?.comment ?? null,
  };
}

/** What `tables.json` says of a table. `written` is null for one that has no rows of its own. */
export function describeTable(
  relation: RelationEntry,
  about: {
    readonly columns: readonly DescribedColumn[];
    readonly declared: Declared;
    readonly file: string | null;
    readonly written: (WrittenFile & CsvCounts) | null;
  },
): Record<string, unknown> {
  const { columns, declared, file, written } = about;
  const table = declared.tables.get(nameKey(relation));
  return {
    schema: relation.schema,
    name: relation.name,
    kind: relation.kind === 'partitioned' ? 'partitioned' : relation.kind,
    comment: table?.comment ?? null,
    file,
    rows: written?.rows ?? null,
    bytes: written?.bytes ?? null,
    sha256: written?.sha256 ?? null,
    columns: columns.map(({ type, ...column }, i) => ({
      name: column.name,
      ...type,
      postgresqlType: column.postgresqlType,
      required: column.required,
      identity: column.identity,
      nulls: written?.nulls[i] ?? null,
      comment: column.comment,
    })),
    generatedColumns: (table?.columns ?? [])
      .filter(({ isGenerated }) => isGenerated)
      .map(({ name, type }) => ({ name, postgresqlType: type })),
    ...keysOf(table),
    partitionOf: table?.partitionOf ?? null,
    inherits: table?.parents ?? [],
  };
}

function keysOf(table: DeclaredTable | undefined): Record<string, unknown> {
  return {
    primaryKey: table?.primaryKey ?? null,
    unique: table?.unique ?? [],
    references: (table?.references ?? []).map(({ name, columns, to, toColumns, onDelete, onUpdate }) => ({
      name,
      columns,
      table: to,
      tableColumns: toColumns,
      onDelete,
      onUpdate,
    })),
  };
}
