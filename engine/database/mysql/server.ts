import { engineError } from '../../errors.ts';
import type { Connection } from './connection.ts';
import { listed, literal } from './sql.ts';

export interface ServerFacts {
  /** `10.11.19-MariaDB…`. */
  readonly version: string;
  /** 101119 for 10.11.19. */
  readonly versionNumber: number;
  readonly characterSet: string;
  readonly collation: string;
  readonly comment: string;
  /** Bytes of table data, by the server's estimate. */
  readonly bytes: number;
}

/** The oldest that has what the pin is made of, and comments of databases. */
const versionMin = 100_500;

/** DATABASE_UNSUPPORTED for a server on which this program has not been proven. */
export async function readServer(connection: Connection): Promise<ServerFacts> {
  const [row] = await connection.texts(
    'look at the server',
    `SELECT VERSION() AS version, s.DEFAULT_CHARACTER_SET_NAME AS cs, s.DEFAULT_COLLATION_NAME AS co,
       s.SCHEMA_COMMENT AS comment, (SELECT IFNULL(SUM(DATA_LENGTH), 0) FROM information_schema.TABLES
         WHERE TABLE_SCHEMA = s.SCHEMA_NAME) AS bytes
     FROM information_schema.SCHEMATA s WHERE s.SCHEMA_NAME = ${literal(connection.database)}`,
  );
  const { version, cs, co, comment, bytes } = row ?? {};
  return {
    version: version ?? '',
    versionNumber: checkVersion(connection, version ?? ''),
    characterSet: cs ?? '',
    collation: co ?? '',
    comment: (comment ?? '').replaceAll('\0', ''), // no text of a listing has one
    bytes: Number(bytes),
  };
}

/** Its number. */
export function checkVersion(connection: Pick<Connection, 'address'>, version: string): number {
  const [, major, minor, patch] = /^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  const number = Number(major) * 10_000 + Number(minor) * 100 + Number(patch);
  if (/MariaDB/i.test(version) && number >= versionMin) return number;
  throw engineError(
    'DATABASE_UNSUPPORTED',
    `Cannot back up ${connection.address}: its server is ${version}`,
    {
      remedy:
        'This program is proven on MariaDB 10.5 and later; back up another server with a command of its vendor.',
    },
  );
}

/** What a table needs to be read from a view: that its rows have versions. */
const engineNeeded = 'InnoDB';

export interface ListedTable {
  readonly name: string;
  readonly kind: 'table' | 'sequence';
  /** The next number that the table gives out; null: it gives none. */
  readonly autoIncrement: bigint | null;
}

/** Tables and sequences, by name. DATABASE_UNSUPPORTED names every one whose rows no view would hold. */
export async function listTables(connection: Connection): Promise<ListedTable[]> {
  const rows = await connection.texts(
    'list the tables',
    `SELECT TABLE_NAME AS n, TABLE_TYPE AS t, ENGINE AS e, AUTO_INCREMENT AS a, TABLE_COMMENT AS c
     FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${literal(connection.database)} AND TABLE_TYPE NOT LIKE '%VIEW'
       AND TABLE_TYPE <> 'TEMPORARY'`,
  );
  const refused: string[] = [];
  const tables: ListedTable[] = [];
  for (const { n, t, e, a, c } of rows) {
    const name = n!;
    const kind = t === 'BASE TABLE' ? 'table' : t === 'SEQUENCE' ? 'sequence' : undefined;
    if (e !== engineNeeded || !kind)
      refused.push(`${name} (${kind && e !== engineNeeded ? (e ?? c ?? 'no engine') : t})`);
    else tables.push({ name, kind, autoIncrement: a === null || a === undefined ? null : BigInt(a) });
  }
  if (refused.length === 0) return inNameOrder(tables);
  throw engineError(
    'DATABASE_UNSUPPORTED',
    `Cannot back up ${connection.address}: no view would hold the rows of ${listed(refused.sort())}`,
    {
      remedy:
        'ALTER TABLE … ENGINE=InnoDB where they are of another engine, DROP SYSTEM VERSIONING where they keep old rows; or move them into another database.',
    },
  );
}

export function inNameOrder<T extends { readonly name: string }>(items: readonly T[]): T[] {
  const keyed = items.map(item => ({ item, key: Buffer.from(item.name, 'utf8') }));
  return keyed.sort((a, b) => Buffer.compare(a.key, b.key)).map(one => one.item);
}
