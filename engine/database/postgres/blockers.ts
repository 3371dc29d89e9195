import type { Connection } from './connection.ts';
import type { Relation } from './tables.ts';

/** Who holds a lock that keeps others from reading the tables: `session 4711 (psql, alice) on public.t`. */
export async function listBlockers(
  connection: Connection,
  relations: readonly Relation[],
): Promise<string[]> {
  const rows = await connection.rows<{ blocker: string }>(
    'see who holds locks',
    `SELECT DISTINCT pg_catalog.format('session %s (%s, %s) on %s', a.pid,
        COALESCE(NULLIF(a.application_name, ''), 'unnamed'), a.usename, l.relation::pg_catalog.regclass) AS blocker
     FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
     WHERE l.granted AND l.mode = 'AccessExclusiveLock' AND l.locktype = 'relation'
       AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
       AND l.relation = ANY ('{${relations.map(one => one.oid).join(',')}}'::oid[])
     ORDER BY 1 LIMIT 3`,
  );
  return rows.map(row => row.blocker);
}
