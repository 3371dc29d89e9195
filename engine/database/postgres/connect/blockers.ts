import type { Connection } from './connection.ts';

/**
 * Who keeps others from reading the tables, by a lock that is held or only waited for:
 * `session 4711 (psql, alice, since 2026-03-01 02:00:00 UTC) holds public.t`.
 */
export async function listBlockers(connection: Connection): Promise<string[]> {
  const rows = await connection.rows<{ blocker: string }>(
    'see who holds locks',
    `SELECT DISTINCT pg_catalog.format('session %s (%s, %s, since %s UTC) %s %s', a.pid,
        COALESCE(NULLIF(a.application_name, ''), 'unnamed'), a.usename,
        pg_catalog.to_char(a.query_start, 'YYYY-MM-DD HH24:MI:SS'),
        CASE WHEN l.granted THEN 'holds' ELSE 'waits for' END, l.relation::pg_catalog.regclass) AS blocker
     FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
       JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relpersistence <> 't'
     WHERE l.mode = 'AccessExclusiveLock' AND l.locktype = 'relation'
       AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
     ORDER BY 1 LIMIT 3`,
  );
  return rows.map(row => row.blocker);
}
