import type { OtherSession } from '../database.ts';
import type { Connection } from './connection.ts';
import { literal } from './sql.ts';

/** Clients of the database that are none of these connections. It takes PROCESS to see them, which prepare checks. */
export async function listOtherSessions(
  connection: Connection,
  own: readonly Connection[],
): Promise<readonly OtherSession[]> {
  const rows = await connection.texts(
    'look for other sessions',
    `SELECT ID AS id, USER AS u, HOST AS h FROM information_schema.PROCESSLIST
     WHERE DB = ${literal(connection.database)} AND USER NOT IN ('system user', 'event_scheduler')
       AND ID NOT IN (${own.map(one => one.threadId).join(', ')}) ORDER BY ID`,
  );
  return rows.map(({ id, u, h }) => ({
    pid: Number(id),
    user: u ?? '',
    application: '',
    address: h === 'localhost' ? '' : (h ?? '').replace(/:\d+$/, ''),
  }));
}

/** Bytes of each table, by the server's estimate. */
export async function readSizes(connection: Connection): Promise<ReadonlyMap<string, number>> {
  const rows = await connection.texts(
    'look at the sizes',
    `SELECT TABLE_NAME AS n, DATA_LENGTH AS b FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${literal(connection.database)}`,
  );
  return new Map(rows.map(({ n, b }) => [n!, Number(b)] as const));
}
