import type pg from 'pg';
import {
  connectPostgres,
  type PostgresResult,
  restorePostgres,
} from '../../engine/database/postgres/index.ts';
import { splitStatements } from '../../engine/database/postgres/sql/statements.ts';
import {
  createStore,
  type Kdf,
  memoryBackend,
  type SnapshotId,
  type Store,
  systemClock,
  systemSeams,
} from '../../store/index.ts';
import { type PostgresServer, withClient } from '../servers/index.ts';
import { compareDescriptions, type Description, describeDatabase } from './describe.ts';
import { compareDumps, type Dump, dumpDatabase } from './dump.ts';

/** Roles that the fixtures speak of, and a tablespace. */
const rolesSql = [
  `CREATE ROLE matrix_owner; CREATE ROLE matrix_reader LOGIN PASSWORD 'matrix' CONNECTION LIMIT 7; CREATE ROLE "Odd ""Role"""`,
  `CREATE ROLE matrix_super SUPERUSER; GRANT matrix_owner TO matrix_reader WITH ADMIN OPTION;
   ALTER ROLE matrix_reader SET search_path = "$user", 'odd "one"'; ALTER ROLE matrix_reader VALID UNTIL '2090-01-02 03:04:05+00';
   COMMENT ON ROLE matrix_reader IS 'it''s "the" reader'`,
];

/** Costs about a millisecond; what is kept here is no secret. */
const cheapKdf: Kdf = { type: 'scrypt', cost: 2, blockSize: 1, lanes: 1 };
const snapshot = 'a'.repeat(64) as SnapshotId;

/** A server with what the fixtures need beside their database. */
export async function furnish(server: PostgresServer): Promise<{ readonly hasIcu: boolean }> {
  return withClient(server.superuserUrl, async client => {
    for (const sql of rolesSql) await client.query(sql);
    await client.query('SET allow_in_place_tablespaces = on');
    await client.query(`CREATE TABLESPACE matrix_space OWNER matrix_owner LOCATION ''`);
    const { rows } = await client.query(`SELECT FROM pg_collation WHERE collprovider = 'i' LIMIT 1`);
    return { hasIcu: rows.length > 0 };
  });
}

/** Leaves an index that holds nothing: that is why it is here. */
const breaksOnPurpose = /^\s*CREATE UNIQUE INDEX CONCURRENTLY/;

/** Each statement is a transaction of its own. */
export async function runStatements(client: pg.Client, sql: string): Promise<void> {
  for (const statement of splitStatements(sql)) {
    try {
      await client.query(statement);
    } catch (error) {
      if (!breaksOnPurpose.test(statement))
        throw new Error(`${String(error)}, in: ${statement.trim().slice(0, 300)}`, { cause: error });
    }
  }
}

/** A database with this in it, and properties of its own. */
export async function makeDatabase(
  server: PostgresServer,
  name: string,
  contents: readonly string[],
): Promise<string> {
  const url = await server.createDatabase(name, 'TEMPLATE template0 OWNER matrix_owner');
  await withClient(url, async client => {
    for (const sql of contents) await runStatements(client, sql);
    const database = client.escapeIdentifier(name);
    await client.query(
      `COMMENT ON DATABASE ${database} IS E'It''s\\nthe one';
       ALTER DATABASE ${database} SET work_mem = '5MB'; ALTER DATABASE ${database} SET search_path = "$user", public, 'odd "one"';
       ALTER DATABASE ${database} SET matrix.custom = 'a, "b"'; ALTER ROLE matrix_reader IN DATABASE ${database} SET statement_timeout = '7s';
       ALTER ROLE "Odd ""Role""" IN DATABASE ${database} SET datestyle = 'German, DMY';
       ALTER DATABASE ${database} CONNECTION LIMIT 50; GRANT CREATE ON DATABASE ${database} TO matrix_reader WITH GRANT OPTION;
       REVOKE TEMPORARY ON DATABASE ${database} FROM PUBLIC`,
    );
  });
  return url;
}

export interface RoundOptions {
  readonly source: PostgresServer;
  readonly target: PostgresServer;
  readonly name: string;
  /** `null`: the definitions come from the reader of the catalogs. */
  readonly pgDump: string | null;
}

export interface Round {
  readonly result: PostgresResult;
  /** The database restored into, on the target. */
  readonly url: string;
  readonly warnings: readonly string[];
}

/** Backs up a database and restores it under another name. */
export async function backUpAndRestore(options: RoundOptions): Promise<Round> {
  const store: Store = await createStore(memoryBackend(), {
    passphrase: 'matrix',
    seams: systemSeams,
    kdf: cheapKdf,
  });
  await using session = await store.beginBackup({ host: 'matrix' });
  const address = { type: 'postgresql', clock: systemClock } as const;
  const { name, pgDump } = options;
  await using source = await connectPostgres({ ...address, url: options.source.url(name), pgDump });
  await source.prepare();
  await source.pin();
  const digestKey = store.rowDigestKey;
  const result = await source.finish({ sink: session, source: session, cuts: store.cuts, digestKey });
  const url = options.target.url(`${name}_again`);
  const restored = await restorePostgres({
    ...address,
    ...{ url, snapshot, source: session, root: result.root, digestKey },
  });
  return { result, url, warnings: [...result.warnings, ...restored.warnings] };
}

/** What a database is, as its own catalogs and as pg_dump have it. */
export interface Picture {
  readonly description: Description;
  readonly dump: Dump | null;
}

export async function pictureOf(url: string, clientDir: string | null): Promise<Picture> {
  return {
    description: await describeDatabase(url),
    dump: clientDir === null ? null : await dumpDatabase(clientDir, url),
  };
}

/** Empty where they are equal. */
export function comparePictures(expected: Picture, found: Picture): string[] {
  return [
    ...compareDescriptions(expected.description, found.description),
    ...(expected.dump && found.dump ? compareDumps(expected.dump, found.dump) : []),
  ];
}

export async function dropDatabases(server: PostgresServer, names: readonly string[]): Promise<void> {
  await withClient(server.superuserUrl, async client => {
    for (const name of names) {
      await dropSubscriptions(server, name);
      await client.query(`DROP DATABASE IF EXISTS ${client.escapeIdentifier(name)} WITH (FORCE)`);
    }
  });
}

/** A database that listens cannot be dropped. */
async function dropSubscriptions(server: PostgresServer, database: string): Promise<void> {
  const names = await withClient(server.superuserUrl, async client => {
    const { rows } = await client.query<{ name: string }>(
      'SELECT quote_ident(subname) AS name FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE datname = $1',
      [database],
    );
    return rows.map(({ name }) => name);
  });
  if (names.length === 0) return;
  await withClient(server.url(database), async client => {
    for (const name of names) await client.query(`DROP SUBSCRIPTION ${name}`);
  });
}
