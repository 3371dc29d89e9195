import { createHash } from 'node:crypto';
import { type Column, kindOf, readColumns } from './columns.ts';
import type { Connection } from './connection.ts';
import type { PinnedTable } from './ranges.ts';
import { readRowKeys } from './row-key.ts';
import type { ListedTable } from './server.ts';
import { quoted } from './sql.ts';

/** A table with what its rows are read by. */
export interface DefinedTable extends PinnedTable {
  readonly autoIncrement: bigint | null;
  /** CREATE TABLE, without the next number. */
  readonly sql: Buffer;
  /** 32 bytes. */
  readonly definition: Uint8Array;
}

/** Reads the definitions of tables; what holds them still is the caller's. */
export async function readTables(
  connection: Connection,
  listed: readonly ListedTable[],
  { serverVersion }: { readonly serverVersion: string },
): Promise<DefinedTable[]> {
  const columns = await readColumns(connection);
  const keys = await readRowKeys(connection, columns);
  const tables: DefinedTable[] = [];
  for (const { name, kind, autoIncrement } of listed) {
    if (kind !== 'table') continue;
    const own: readonly Column[] = columns.get(name) ?? [];
    const sql = await readDefinition(connection, name);
    tables.push({
      ...{ name, autoIncrement, sql, key: keys.get(name), columns: own },
      kinds: own.map(column => kindOf(name, column)),
      definition: hashOf(sql, serverVersion),
    });
  }
  return tables;
}

/** CREATE TABLE in the bytes of the server. */
async function readDefinition(connection: Connection, name: string): Promise<Buffer> {
  const [row] = await connection.rows(`read the definition of ${name}`, `SHOW CREATE TABLE ${quoted(name)}`);
  const shown = row?.[1]?.toString('latin1') ?? '';
  // The number is kept apart: it moves outside of every view. It comes first among the options of the table.
  return Buffer.from(shown.replace(/(\n\) ENGINE=InnoDB) AUTO_INCREMENT=\d+/, '$1'), 'latin1');
}

/** Of equal definitions on equal servers, the order of keys is the same; a collation may change with a version. */
function hashOf(sql: Buffer, serverVersion: string): Uint8Array {
  return createHash('sha256').update(serverVersion).update('\0').update(sql).digest();
}

/** Whether the table is still defined so. */
export async function isDefinedSo(
  connection: Connection,
  { name, definition }: DefinedTable,
  { serverVersion }: { readonly serverVersion: string },
): Promise<boolean> {
  const now = hashOf(await readDefinition(connection, name), serverVersion);
  return Buffer.compare(now, definition) === 0;
}
