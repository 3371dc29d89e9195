import { engineError } from '../../../errors.ts';
import type { Connection } from '../connect/connection.ts';
import { databaseError } from '../connect/failure.ts';
import type { Collation } from '../entries/facts-entry.ts';

/** What a database and its server say about themselves. */
export interface ServerFacts {
  readonly serverVersion: string;
  readonly serverVersionNumber: number;
  readonly database: string;
  readonly databaseOid: number;
  readonly encoding: string;
  readonly collation: Collation;
  readonly systemIdentifier: bigint;
  readonly timeline: number;
  /** Microseconds since 1970-01-01 UTC. */
  readonly startedAtUs: bigint;
}

interface Row {
  server_version: string;
  name: string;
  oid: number;
  encoding: string;
  provider: string;
  collate: string;
  ctype: string;
  locale: string | null;
  icu_rules: string | null;
  collation_version: string | null;
  system_identifier: string;
  timeline: string;
  started_at_us: string;
  block_size: string;
}

/** Heap pages of 291 rows at most: what ctids and live sets are made for. */
const blockSize = '8192';

/** Reads the facts; refuses what cannot be backed up: DATABASE_UNSUPPORTED. */
export async function readServerFacts(connection: Connection): Promise<ServerFacts> {
  const action = `back up ${connection.address}`;
  const [recovery] = await connection.rows<{ standby: boolean }>(
    action,
    'SELECT pg_catalog.pg_is_in_recovery() AS standby',
  );
  if (recovery!.standby)
    throw engineError('DATABASE_UNSUPPORTED', `Cannot ${action}: the server is a standby`, {
      remedy: 'Give the address of the primary: the application writes there.',
    });
  const version = connection.serverVersionNumber;
  const row = await readRow(connection, version);
  if (row.block_size !== blockSize)
    throw engineError(
      'DATABASE_UNSUPPORTED',
      `Cannot ${action}: the server's blocks are ${row.block_size} bytes`,
      {
        remedy: `Use a server with blocks of ${blockSize} bytes, as every packaged one is.`,
      },
    );
  return {
    serverVersion: row.server_version,
    serverVersionNumber: version,
    database: row.name,
    databaseOid: row.oid,
    encoding: row.encoding,
    collation: {
      provider: row.provider,
      collate: row.collate,
      ctype: row.ctype,
      locale: row.locale,
      icuRules: row.icu_rules,
      version: row.collation_version,
    },
    systemIdentifier: BigInt(row.system_identifier),
    timeline: Number.parseInt(row.timeline, 16),
    startedAtUs: BigInt(row.started_at_us),
  };
}

/** The database's columns of pg_database that came and went with the versions. */
function collationColumns(version: number): string {
  const locale = version >= 170_000 ? 'd.datlocale' : version >= 150_000 ? 'd.daticulocale' : 'NULL';
  return `${version >= 150_000 ? 'd.datlocprovider' : "'c'"}::text AS provider, d.datcollate AS collate,
    d.datctype AS ctype, ${locale}::text AS locale, ${version >= 160_000 ? 'd.daticurules' : 'NULL'}::text AS icu_rules,
    ${version >= 150_000 ? 'd.datcollversion' : 'NULL'}::text AS collation_version`;
}

async function readRow(connection: Connection, version: number): Promise<Row> {
  const [row] = await connection.rows<Row>(
    'read what the server says about itself',
    `SELECT pg_catalog.current_setting('server_version') AS server_version, d.datname AS name, d.oid,
      pg_catalog.pg_encoding_to_char(d.encoding) AS encoding, ${collationColumns(version)},
      s.system_identifier::text, pg_catalog.current_setting('block_size') AS block_size,
      pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8) AS timeline,
      (EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::int8::text AS started_at_us
    FROM pg_catalog.pg_database d, pg_catalog.pg_control_system() s
    WHERE d.datname = pg_catalog.current_database()`,
  );
  if (!row) throw databaseError('read what the server says about itself', new Error('no answer'));
  return row;
}
