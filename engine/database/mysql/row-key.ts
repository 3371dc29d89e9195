import type { Column } from './columns.ts';
import type { Connection } from './connection.ts';
import { bytesLiteral, literal, quoted } from './sql.ts';

/** The columns of a primary key by which a table can be read in ranges. */
export interface RowKey {
  readonly columns: readonly Column[];
}

/** The values of a key, as the server sent them. */
export type KeyValue = readonly Uint8Array[];

const numbers = new Set('tinyint smallint mediumint int bigint decimal'.split(' '));
const times = new Set('date time datetime timestamp'.split(' '));
const texts = new Set('char varchar'.split(' '));
const binaries = new Set('binary varbinary'.split(' '));
const rangeable = new Set([...numbers, ...times, ...texts, ...binaries]);

/** Keys by table. A table whose key has a column that is compared in another way than written is read whole. */
export async function readRowKeys(
  connection: Connection,
  columns: ReadonlyMap<string, readonly Column[]>,
): Promise<Map<string, RowKey>> {
  const parts = new Map<string, (Column | undefined)[]>();
  const rows = await connection.texts(
    'read the keys',
    `SELECT TABLE_NAME AS t, COLUMN_NAME AS c, SUB_PART AS p, COLLATION AS d FROM information_schema.STATISTICS
     WHERE TABLE_SCHEMA = ${literal(connection.database)} AND INDEX_NAME = 'PRIMARY'
     ORDER BY TABLE_NAME, SEQ_IN_INDEX`,
  );
  for (const { t, c, p, d } of rows) {
    const list = parts.get(t!) ?? [];
    parts.set(t!, list);
    const column = columns.get(t!)?.find(one => one.name === c);
    list.push(p === null && d === 'A' && column && rangeable.has(column.type) ? column : undefined);
  }
  const keys = new Map<string, RowKey>();
  for (const [table, list] of parts) {
    const known = list.filter(one => one !== undefined);
    if (known.length === list.length) keys.set(table, { columns: known });
  }
  return keys;
}

/** `WHERE` for the rows from a key on, and before another; null: no bound. */
export function rangeSql(key: RowKey, from: KeyValue | null, before: KeyValue | null): string {
  const conditions = [...(from ? [bound(key, from, '>')] : []), ...(before ? [bound(key, before, '<')] : [])];
  return conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
}

/** A lower bound belongs to the range, an upper one does not. Written so that the server reads that part of its index alone. */
function bound({ columns }: RowKey, value: KeyValue, sign: '>' | '<'): string {
  const last = columns.length - 1;
  let sql = '';
  for (let i = last; i >= 0; i -= 1) {
    const name = quoted(columns[i]!.name);
    const at = keyLiteral(columns[i]!, value[i]!);
    if (i === last) sql = `${name} ${sign === '>' ? '>=' : '<'} ${at}`;
    else sql = `${name} ${sign}= ${at} AND (${name} ${sign} ${at} OR (${sql}))`;
  }
  return `(${sql})`;
}

function keyLiteral(column: Column, value: Uint8Array): string {
  const text = Buffer.from(value);
  if (numbers.has(column.type)) return digits(text);
  if (times.has(column.type)) return literal(text.toString('latin1'));
  // In the column's own character set, so that its collation compares: an index is of no use else.
  if (texts.has(column.type)) return `_${column.characterSet} ${bytesLiteral(value)}`;
  return bytesLiteral(value);
}

function digits(text: Buffer): string {
  const shown = text.toString('latin1');
  if (/^-?[0-9.]+$/.test(shown)) return shown;
  throw new TypeError('a number of a key has other characters than digits');
}
