import { StillpointError } from '../../../../store/index.ts';
import { engineError } from '../../../errors.ts';
import type { Connection } from '../connect/connection.ts';

const largeObjectsPerStatement = 5000;

/**
 * A database that listens to another cannot be dropped. A slot on the other server is not ours to drop: the one who is
 * backed up may still be listening there.
 */
export async function dropSubscriptions(connection: Connection): Promise<void> {
  const action = `clear ${connection.address}`;
  const rows = await connection.rows<{ name: string }>(
    action,
    `SELECT pg_catalog.quote_ident(s.subname) AS name FROM pg_catalog.pg_subscription s
     JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = pg_catalog.current_database()`,
  );
  for (const { name } of rows)
    for (const sql of [
      `ALTER SUBSCRIPTION ${name} DISABLE`,
      `ALTER SUBSCRIPTION ${name} SET (slot_name = NONE)`,
      `DROP SUBSCRIPTION ${name}`,
    ])
      await connection.script(action, [sql]);
}

/**
 * Empties a database that a killed restore was given and has partly filled. What the killed run's backends still do is
 * ended first.
 */
export async function clearDatabase(connection: Connection): Promise<void> {
  const action = `clear ${connection.address}`;
  try {
    await connection.rows(
      action,
      `SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
       WHERE datname = pg_catalog.current_database() AND application_name = 'stillpoint restore'
         AND pid <> pg_catalog.pg_backend_pid()`,
    );
    await dropSubscriptions(connection);
    const drops = await connection.rows<{ sql: string }>(action, dropsSql);
    for (const { sql } of drops) await connection.script(action, [sql]);
    await connection.script(action, publicSql(connection.serverVersionNumber));
    for (;;) {
      const [row] = await connection.rows<{ unlinked: string }>(
        action,
        `SELECT pg_catalog.count(pg_catalog.lo_unlink(oid)) AS unlinked FROM
          (SELECT oid FROM pg_catalog.pg_largeobject_metadata LIMIT ${largeObjectsPerStatement}) l`,
      );
      if (row!.unlinked === '0') return;
    }
  } catch (error) {
    if (!(error instanceof StillpointError)) throw error;
    throw engineError('TARGET_NOT_EMPTY', `${error.message} (left by an unfinished restore)`, {
      remedy: 'Drop the database and restore again.',
      cause: error,
    });
  }
}

const dropsSql = `
SELECT pg_catalog.format('DROP EVENT TRIGGER %I CASCADE', evtname) AS sql FROM pg_catalog.pg_event_trigger WHERE oid >= 16384
UNION ALL SELECT pg_catalog.format('DROP PUBLICATION %I', pubname) FROM pg_catalog.pg_publication WHERE oid >= 16384
UNION ALL SELECT pg_catalog.format('DROP EXTENSION %I CASCADE', extname) FROM pg_catalog.pg_extension WHERE oid >= 16384
UNION ALL SELECT pg_catalog.format('DROP SCHEMA %I CASCADE', nspname) FROM pg_catalog.pg_namespace
  WHERE nspname = 'public' OR (oid >= 16384 AND nspname !~ '^pg_')
UNION ALL SELECT pg_catalog.format('DROP FOREIGN DATA WRAPPER IF EXISTS %I CASCADE', fdwname)
  FROM pg_catalog.pg_foreign_data_wrapper WHERE oid >= 16384
UNION ALL SELECT pg_catalog.format('DROP LANGUAGE IF EXISTS %I CASCADE', lanname) FROM pg_catalog.pg_language WHERE oid >= 16384
UNION ALL SELECT pg_catalog.format('DROP CAST IF EXISTS (%s AS %s) CASCADE', castsource::pg_catalog.regtype,
  casttarget::pg_catalog.regtype) FROM pg_catalog.pg_cast WHERE oid >= 16384`;

/** As template0 has it. */
function publicSql(version: number): string[] {
  return [
    `CREATE SCHEMA public AUTHORIZATION ${version >= 150_000 ? 'pg_database_owner' : 'CURRENT_USER'}`,
    `GRANT ${version >= 150_000 ? 'USAGE' : 'ALL'} ON SCHEMA public TO PUBLIC`,
    "COMMENT ON SCHEMA public IS 'standard public schema'",
  ];
}
