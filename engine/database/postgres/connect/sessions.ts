import type { OtherSession } from '../../database.ts';
import type { Connection } from './connection.ts';
import { dumpApplicationName } from './libpq.ts';

interface Row {
  pid: number;
  usename: string | null;
  application_name: string | null;
  address: string | null;
}

/**
 * Clients of this database but those given, and the dump of definitions that a run starts beside them. Who may not see
 * what kind of session another one is takes it for a client, unless it belongs to no user as the server's own do.
 */
export async function listOtherSessions(
  connection: Connection,
  own: readonly Connection[],
): Promise<OtherSession[]> {
  const pids = own.map(one => one.backendPid).join(',');
  const rows = await connection.rows<Row>(
    'see who is connected',
    `SELECT pid, usename, application_name, pg_catalog.host(client_addr) AS address
     FROM pg_catalog.pg_stat_activity
     WHERE datid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
       AND (backend_type = 'client backend' OR (backend_type IS NULL AND usesysid IS NOT NULL))
       AND pid NOT IN (${pids})
       AND NOT (application_name = '${dumpApplicationName}' AND usename = CURRENT_USER)
     ORDER BY pid`,
  );
  return rows.map(row => ({
    pid: row.pid,
    user: row.usename ?? '',
    application: row.application_name ?? '',
    address: row.address ?? '',
  }));
}
