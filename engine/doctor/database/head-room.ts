import type { PostgresAddress } from '../../database/index.ts';
import type { Connection } from '../../database/postgres/connect/connection.ts';
import type { Check } from '../check.ts';
import { bad, type Finding, good, warn } from '../finding.ts';
import { askServer } from './session.ts';

const name = 'connections';
/** One that pins, one that watches, two that read, and two of pg_dump. */
const neededByRun = 6;
/** A busy hour may bring so many more. */
const reserve = 5;
/** Of one run: the pin and two readers lock every table. */
const lockersOfRun = 3;

interface Row {
  readonly max: number;
  readonly reserved: number;
  readonly used: number;
  readonly role_limit: number;
  readonly role_used: number;
  readonly database_limit: number;
  readonly database_used: number;
  readonly locks_max: number;
  readonly relations: number;
}

/** The server has room for the connections and the locks of a run beside those of the application. */
export function checkHeadRoom(address: PostgresAddress): Check {
  return askServer(address, { name, ask });
}

async function ask(connection: Connection): Promise<Finding[]> {
  const [row] = await connection.rows<Row>(
    'count the connections',
    `SELECT current_setting('max_connections')::int AS max,
      current_setting('superuser_reserved_connections')::int
        + COALESCE(current_setting('reserved_connections', true), '0')::int AS reserved,
      (SELECT count(*)::int FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend') AS used,
      r.rolconnlimit AS role_limit,
      (SELECT count(*)::int FROM pg_catalog.pg_stat_activity a WHERE a.usename = r.rolname) AS role_used,
      d.datconnlimit AS database_limit,
      (SELECT count(*)::int FROM pg_catalog.pg_stat_activity a WHERE a.datname = d.datname) AS database_used,
      current_setting('max_locks_per_transaction')::int
        * (current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int) AS locks_max,
      (SELECT count(*)::int FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p', 'S', 'm') AND oid >= 16384) AS relations
     FROM pg_catalog.pg_roles r, pg_catalog.pg_database d
     WHERE r.rolname = current_user AND d.datname = pg_catalog.current_database()`,
  );
  return [...judgeConnections(row!), ...judgeLocks(row!)];
}

function judgeConnections(row: Row): Finding[] {
  // This very connection is among those in use.
  const rooms = [
    {
      left: row.max - row.reserved - row.used + 1,
      of: `max_connections is ${row.max}`,
      setting: 'max_connections of the server',
    },
    {
      left: limited(row.role_limit, row.role_used),
      of: `the role may have ${row.role_limit}`,
      setting: 'the CONNECTION LIMIT of the role',
    },
    {
      left: limited(row.database_limit, row.database_used),
      of: `the database may have ${row.database_limit}`,
      setting: 'the CONNECTION LIMIT of the database',
    },
  ];
  const tightest = rooms.reduce((a, b) => (b.left < a.left ? b : a));
  const found = `${tightest.left} more connections can be made (${tightest.of}), and a run needs up to ${neededByRun}`;
  const remedy = `Raise ${tightest.setting}.`;
  if (tightest.left < neededByRun) return [bad(name, { found, remedy })];
  return [tightest.left < neededByRun + reserve ? warn(name, { found, remedy }) : good(name, found)];
}

const limited = (limit: number, used: number): number =>
  limit < 0 ? Number.POSITIVE_INFINITY : limit - used + 1;

function judgeLocks({ locks_max, relations }: Row): Finding[] {
  const needed = relations * lockersOfRun;
  if (needed < locks_max / 2) return [];
  const found = `a run locks ${needed} tables and sequences, and the server has room for ${locks_max} locks in all`;
  return [warn(name, { found, remedy: 'Raise max_locks_per_transaction of the server and restart it.' })];
}
