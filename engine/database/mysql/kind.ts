import { type ChunkSource, readListing } from '../../../store/index.ts';
import { engineError } from '../../errors.ts';
import { exportForMariadb, mariadbInstructions } from '../../export/mariadb.ts';
import { addDigests, emptyDigest, equalDigests, type RowDigest } from '../digest.ts';
import type { DatabaseKind, StoredDatabase } from '../kind.ts';
import { type MysqlMarks, mysqlMarks } from '../marks.ts';
import { databaseGroups } from '../shown.ts';
import { readAddress } from './address.ts';
import { diffDatabases } from './diff.ts';
import { decodeEntry, describeEntry } from './entry.ts';
import { restoreMysql } from './restore.ts';
import { salvageDatabase } from './salvage.ts';
import { databaseScript } from './script.ts';
import { connectMysql } from './source.ts';
import { checkMysqlTarget } from './target.ts';
import { databaseItems, findInDatabase } from './things.ts';
import type { MysqlAddress } from './types.ts';

export const mysqlKind: DatabaseKind<MysqlMarks, MysqlAddress> = {
  type: 'mysql',
  title: 'MariaDB',
  marks: mysqlMarks,
  nameOf: address => readAddress(address).shown,
  connect: connectMysql,
  baseOf: ({ listing }, access) => ({ ...access, type: 'mysql', root: listing, binlog: '', gtid: '' }),
  // Ranges are compared with what the server has, and a table that lacks some says so by itself.
  withoutBase: stored => stored,
  targetOf,
  checkTarget: checkMysqlTarget,
  restore: restoreMysql,
  sql: databaseScript,
  check,
  describeEntry,
  look: { groups: databaseGroups, find: findInDatabase, items: databaseItems, diff: diffDatabases },
  exporting: { whole: exportForMariadb, instructions: mariadbInstructions },
  salvage: salvageDatabase,
};

function targetOf(text: string): MysqlAddress {
  if (!/^(mysql|mariadb):\/\//.test(text)) {
    throw engineError('USAGE', 'Cannot restore: --database is no mysql:// URL', {
      remedy: 'Give it as mysql://user@host:3306/name.',
    });
  }
  if (URL.canParse(text) && new URL(text).pathname.replaceAll('/', '') === '') {
    throw engineError('USAGE', 'Cannot restore: --database names no database', {
      remedy: 'Give it as mysql://user@host:3306/name; one that does not exist yet is made.',
    });
  }
  return { type: 'mysql', url: text };
}

async function check(source: ChunkSource, stored: StoredDatabase<MysqlMarks>): Promise<string | undefined> {
  const sums = new Map<string, RowDigest>();
  const found = { tables: 0, rows: 0, segments: 0 };
  let name: string | undefined;
  for await (const entry of readListing(source, stored.listing)) {
    const one = decodeEntry(entry);
    if (one.entry === 'facts') name = one.database;
    if (one.entry === 'range') {
      found.segments += 1;
      found.rows += one.digest.rows;
      sums.set(one.table, addDigests(sums.get(one.table) ?? emptyDigest, one.digest));
    }
    if (one.entry !== 'table') continue;
    found.tables += 1;
    if (!equalDigests(sums.get(one.name) ?? emptyDigest, one.digest))
      return `The rows of table ${one.name} are not those that it says`;
    sums.delete(one.name);
  }
  const [stray] = sums.keys();
  if (stray !== undefined) return `There are rows of table ${stray}, which the database does not have`;
  for (const count of ['tables', 'rows', 'segments'] as const)
    if (found[count] !== stored[count])
      return `The database has ${found[count]} ${count}, its manifest says ${stored[count]}`;
  if (name === stored.name) return undefined;
  return `The rows are of database ${name ?? 'without a name'}, the manifest is of ${stored.name}`;
}
