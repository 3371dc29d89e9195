import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';

export interface DescribedTable {
  readonly schema: string;
  readonly name: string;
  readonly kind: string;
  readonly file: string | null;
  readonly rows: number | null;
  readonly columns: readonly {
    readonly name: string;
    readonly type: string;
    readonly postgresqlType: string | null;
    readonly maxLength?: number;
    readonly required: boolean;
  }[];
  readonly primaryKey: readonly string[] | null;
  readonly unique: readonly (readonly string[])[];
  readonly references: readonly {
    readonly columns: readonly string[];
    readonly table: { readonly schema: string; readonly name: string };
    readonly tableColumns: readonly string[];
  }[];
}

export interface LoadedTable {
  readonly schema: string;
  readonly name: string;
  readonly rows: readonly (readonly (string | null)[])[];
}

/** What an export of tables says of those that hold rows in columns. */
export function readTables(folder: string): readonly DescribedTable[] {
  const { tables } = JSON.parse(readFileSync(join(folder, 'tables.json'), 'utf8')) as {
    tables: readonly DescribedTable[];
  };
  return tables.filter(({ file, columns }) => file !== null && columns.length > 0);
}

/** The same rows as the server itself writes them for others, by table. */
export async function rowsByServer(
  url: string,
  tables: readonly DescribedTable[],
): Promise<Map<string, readonly string[]>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(
      "SET timezone = 'UTC'; SET extra_float_digits = 3; SET search_path = ''; SET lc_monetary = 'C'",
    );
    const found = new Map<string, readonly string[]>();
    for (const table of tables) {
      const columns = table.columns.map(({ name, type }) => written(client.escapeIdentifier(name), type));
      const from = `${client.escapeIdentifier(table.schema)}.${client.escapeIdentifier(table.name)}`;
      const { rows } = await client.query<(string | null)[]>({
        text: `SELECT ${columns.join(', ')} FROM ONLY ${from}`,
        rowMode: 'array',
      });
      found.set(`${table.schema}.${table.name}`, sortedRows(rows, table, tables));
    }
    return found;
  } finally {
    await client.end();
  }
}

function written(column: string, type: string): string {
  if (type === 'binary') return `pg_catalog.encode(${column}, 'hex')`;
  if (type === 'time with time zone') return `${column}::text || ':00'`;
  if (/^(timestamp|date)/.test(type))
    return `pg_catalog.replace(pg_catalog.to_jsonb(${column}) #>> '{}', '+00:00', 'Z')`;
  if (type === 'boolean') return `${column}::text`;
  // As its output function has it: a cast would take the blanks off a char(4).
  return `CASE WHEN pg_catalog.num_nulls(${column}) = 0 THEN pg_catalog.format('%s', ${column}) END`;
}

/** A float may be written in more than one way. */
export function sortedRows(
  rows: LoadedTable['rows'],
  { schema, name }: Pick<DescribedTable, 'schema' | 'name'>,
  tables: readonly DescribedTable[],
): readonly string[] {
  const { columns } = tables.find(one => one.schema === schema && one.name === name)!;
  return rows
    .map(row =>
      JSON.stringify(
        row.map((value, i) =>
          columns[i]!.type === 'float' && value !== null ? String(Number(value)) : value,
        ),
      ),
    )
    .sort();
}
