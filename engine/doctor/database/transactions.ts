import type { PostgresAddress } from '../../database/index.ts';
import type { Connection } from '../../database/postgres/connect/connection.ts';
import type { Check } from '../check.ts';
import { type Finding, good, warn } from '../finding.ts';
import { askServer } from './session.ts';

const name = 'transactions';

interface Row {
  readonly what: string;
  readonly minutes: number;
  readonly blocks: boolean;
}

/** Transactions that have been open for long: they hold back the server's clean-up, and some would block a backup. */
export function checkTransactions(address: PostgresAddress): Check {
  return askServer(address, { name, ask });
}

async function ask(connection: Connection): Promise<Finding[]> {
  const rows = await connection.rows<Row>(
    'look for long transactions',
    `WITH exclusive AS (
      SELECT DISTINCT pid, virtualtransaction FROM pg_catalog.pg_locks
      WHERE granted AND locktype = 'relation' AND mode = 'AccessExclusiveLock'
        AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
    )
    SELECT pg_catalog.format('session %s (%s, %s)', a.pid, COALESCE(NULLIF(a.application_name, ''), 'unnamed'), a.usename)
        AS what, (EXTRACT(epoch FROM pg_catalog.clock_timestamp() - a.xact_start) / 60)::float8 AS minutes,
      EXISTS (SELECT FROM exclusive e WHERE e.pid = a.pid) AS blocks
    FROM pg_catalog.pg_stat_activity a
    WHERE a.backend_type = 'client backend' AND a.pid <> pg_catalog.pg_backend_pid() AND a.xact_start IS NOT NULL
      AND a.application_name NOT LIKE 'stillpoint%'
    UNION ALL
    SELECT pg_catalog.format('prepared transaction %L (%s)', p.gid, p.owner),
      (EXTRACT(epoch FROM pg_catalog.clock_timestamp() - p.prepared) / 60)::float8,
      EXISTS (SELECT FROM exclusive e JOIN pg_catalog.pg_locks x USING (virtualtransaction)
        WHERE e.pid IS NULL AND x.locktype = 'transactionid' AND x.transactionid = p.transaction)
    FROM pg_catalog.pg_prepared_xacts p WHERE p.database = pg_catalog.current_database()
    ORDER BY minutes DESC NULLS LAST`,
  );
  const blocking = rows.filter(row => row.blocks);
  const long = rows.filter(row => !row.blocks && row.minutes >= 60);
  if (blocking.length + long.length === 0)
    return [good(name, 'none holds a table for itself, and none is open for an hour')];
  return [...blocking.map(block), ...long.slice(0, 5).map(notice)];
}

function block({ what, minutes }: Row): Finding {
  const found = `${what} holds a table for itself since ${Math.round(minutes)} min: a backup would give up after 2 s`;
  const remedy = what.startsWith('prepared')
    ? 'Commit it or roll it back: COMMIT PREPARED, ROLLBACK PREPARED.'
    : 'Wait until it has ended, or end it with pg_terminate_backend.';
  return warn(name, { found, remedy });
}

/** Nothing is wrong with the backup; who looks after the server wants to know. */
function notice({ what, minutes }: Row): Finding {
  return good(name, `notice: ${what} has been open for ${Math.floor(minutes / 60)} h, and holds back VACUUM`);
}
