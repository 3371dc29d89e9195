import { engineError } from '../../errors.ts';
import { maintenanceConnection } from './create-database.ts';
import { isCreateRole } from './foreign-sql.ts';
import { identifier } from './sql.ts';
import type { PostgresTarget } from './types.ts';

export interface ServerNeeds {
  readonly serverVersionNumber: number;
  readonly roles: readonly string[];
  /** SQL that makes them, a line each. */
  readonly globals: string;
}

/** Before anything is written: a server that is old enough to misread definitions, or lacks the roles that they name. */
export async function checkServer(target: PostgresTarget, needs: ServerNeeds): Promise<void> {
  await using connection = await maintenanceConnection(target);
  const place = `${connection.client.host}:${connection.client.port}`;
  const neededMajor = Math.floor(needs.serverVersionNumber / 10_000);
  const major = Math.floor(connection.serverVersionNumber / 10_000);
  if (major < neededMajor)
    throw engineError(
      'DATABASE_UNSUPPORTED',
      `Cannot restore on ${place}: it is PostgreSQL ${major}, the backup is of ${neededMajor}`,
      { remedy: `Restore on PostgreSQL ${neededMajor} or newer.` },
    );
  const rows = await connection.rows<{ role: string }>(
    'list the roles',
    'SELECT rolname AS role FROM pg_catalog.pg_roles',
  );
  const there = new Set(rows.map(row => row.role));
  const missing = needs.roles.filter(role => !there.has(role));
  if (missing.length === 0) return;
  throw engineError(
    'TARGET_FAILED',
    `Cannot restore on ${place}: the server lacks the role${missing.length === 1 ? '' : 's'} ${missing.join(', ')}`,
    {
      remedy: `As a superuser: ${missing.map(role => createRole(role, needs.globals)).join(' ')}`,
      context: { roles: missing },
    },
  );
}

/** With the attributes that it had, where the backup knows them. */
function createRole(role: string, globals: string): string {
  const start = `CREATE ROLE ${identifier(role)}`;
  return globals.split('\n').find(line => line.startsWith(`${start} `) && isCreateRole(line)) ?? `${start};`;
}
