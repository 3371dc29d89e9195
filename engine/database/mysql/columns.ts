import { engineError } from '../../errors.ts';
import type { Connection } from './connection.ts';
import { literal, quoted } from './sql.ts';

/**
 * How a value is read, hashed and written: `plain` is digits; `text` goes in quotes; `large` is hashed apart, so that no row is
 * too long to be hashed; `ordinal` is the number of a label; `float` is read as the shortest text that gives it back;
 * `address` is text, where bytes would be taken for something else.
 */
export type ColumnKind = 'plain' | 'text' | 'large' | 'ordinal' | 'float' | 'temporal' | 'address';

export interface Column {
  readonly name: string;
  /** As information_schema has it: `varchar`. */
  readonly type: string;
  /** Of a text column. */
  readonly characterSet: string | null;
}

const kinds: Readonly<Record<string, ColumnKind>> = {
  ...fill('plain', 'tinyint smallint mediumint int bigint decimal year'),
  ...fill('ordinal', 'bit enum set'),
  ...fill('float', 'float double'),
  ...fill('temporal', 'date time datetime timestamp'),
  ...fill('address', 'uuid inet4 inet6'),
  ...fill('text', 'char varchar binary varbinary tinytext tinyblob'),
  ...fill('large', 'text mediumtext longtext blob mediumblob longblob json'),
  ...fill(
    'large',
    'geometry point linestring polygon multipoint multilinestring multipolygon geometrycollection geomcollection',
  ),
};

function fill(kind: ColumnKind, names: string): Record<string, ColumnKind> {
  return Object.fromEntries(names.split(' ').map(name => [name, kind]));
}

/** DATABASE_UNSUPPORTED for a type that this program has not been shown to keep. */
export function kindOf(table: string, column: Column): ColumnKind {
  const kind = kinds[column.type];
  if (kind) return kind;
  throw engineError(
    'DATABASE_UNSUPPORTED',
    `Cannot back up ${table}: column ${column.name} is of type ${column.type}, which this program does not know`,
    { remedy: 'Change the type of the column, or back the database up with a tool of its own.' },
  );
}

/** What a query asks for, so that the value comes as it is stored. */
export function selected(column: Column, kind: ColumnKind): string {
  const name = quoted(column.name);
  switch (kind) {
    case 'ordinal':
      return `CAST(${name} AS UNSIGNED)`;
    case 'float':
      return `CAST(${name} AS DOUBLE)`;
    default:
      return name;
  }
}

/** The columns whose values are stored: of each table, without those that the server computes. */
export async function readColumns(connection: Connection): Promise<Map<string, Column[]>> {
  const columns = new Map<string, Column[]>();
  const rows = await connection.texts(
    'read the columns',
    `SELECT TABLE_NAME AS t, COLUMN_NAME AS c, DATA_TYPE AS d, CHARACTER_SET_NAME AS s, IS_GENERATED AS g
     FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ${literal(connection.database)}
     ORDER BY TABLE_NAME, ORDINAL_POSITION`,
  );
  for (const { t, c, d, s, g } of rows) {
    const list = columns.get(t!) ?? [];
    columns.set(t!, list);
    if (g !== 'ALWAYS') list.push({ name: c!, type: d!.toLowerCase(), characterSet: s ?? null });
  }
  return columns;
}
