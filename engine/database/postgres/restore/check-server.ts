import { type EngineErrorCode, engineError } from '../../../errors.ts';
import type { Connection } from '../connect/connection.ts';
import { databaseNameOf } from '../connect/open-connection.ts';
import type { Wanted } from '../outline/wanted.ts';
import { literal } from '../sql/quoting.ts';
import type { PostgresTarget } from '../types.ts';
import { maintenanceConnection } from './create-database.ts';
import { lacksOfRole } from './lacks-of-role.ts';
import { lacksOfServer } from './lacks-of-server.ts';

/** Something that a restore needs and that is not there. */
export interface Lack {
  readonly code: Extract<EngineErrorCode, 'TARGET_FAILED' | 'DATABASE_RIGHTS'>;
  /** `the server lacks the role x`. */
  readonly found: string;
  /** Statements, without the superuser who runs them; or a sentence. */
  readonly remedy: string;
}

export interface ServerState {
  readonly connection: Connection;
  /** Whether the database is there already. */
  readonly isThere: boolean;
}

/**
 * Before anything is written: a server that is old enough to misread definitions, or that lacks what they name: all of it
 * in one message. DATABASE_UNSUPPORTED, TARGET_FAILED, DATABASE_RIGHTS.
 */
export async function checkServer(target: PostgresTarget, wanted: Wanted): Promise<void> {
  await using connection = await maintenanceConnection(target);
  const place = `${connection.client.host}:${connection.client.port}`;
  const neededMajor = Math.floor(wanted.record.serverVersionNumber / 10_000);
  const major = Math.floor(connection.serverVersionNumber / 10_000);
  if (major < neededMajor)
    throw engineError(
      'DATABASE_UNSUPPORTED',
      `Cannot restore on ${place}: it is PostgreSQL ${major}, the backup is of ${neededMajor}`,
      { remedy: `Restore on PostgreSQL ${neededMajor} or newer.` },
    );
  const name = await databaseNameOf(target);
  const [row] = await connection.rows<{ standby: boolean; there: boolean }>(
    'look at the server',
    `SELECT pg_catalog.pg_is_in_recovery() AS standby,
      EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = ${literal(name)}) AS there`,
  );
  if (row!.standby)
    throw engineError('DATABASE_UNSUPPORTED', `Cannot restore on ${place}: the server is a standby`, {
      remedy: 'Give the address of the primary.',
    });
  const state = { connection, isThere: row!.there };
  const lacks = [...(await lacksOfServer(state, wanted)), ...(await lacksOfRole(state, wanted))];
  if (lacks.length === 0) return;
  const code = lacks.every(one => one.code === 'DATABASE_RIGHTS') ? 'DATABASE_RIGHTS' : 'TARGET_FAILED';
  const isSql = (one: Lack): boolean => one.remedy.endsWith(';');
  const sql = lacks.filter(isSql).map(one => one.remedy);
  throw engineError(code, `Cannot restore on ${place}: ${lacks.map(one => one.found).join('; ')}`, {
    remedy: [
      ...(sql.length > 0 ? [`As a superuser: ${sql.join(' ')}`] : []),
      ...lacks.filter(one => !isSql(one)).map(one => one.remedy),
    ].join(' '),
    context: { lacks: lacks.map(one => one.found) },
  });
}
