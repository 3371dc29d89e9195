import type { ChunkSource } from '../../../store/index.ts';
import { engineError } from '../../errors.ts';
import { exportPortable } from '../../export/portable/portable.ts';
import { exportForPsql, psqlInstructions } from '../../export/psql.ts';
import type { DatabaseKind, StoredDatabase } from '../kind.ts';
import { type PostgresMarks, postgresMarks } from '../marks.ts';
import { databaseGroups } from '../shown.ts';
import { placeOf } from './connect/conninfo.ts';
import { describeDatabaseEntry } from './entries/entry.ts';
import { countDatabase } from './look/counts.ts';
import { diffDatabases } from './look/diff.ts';
import { salvageDatabase } from './look/salvage.ts';
import { databaseItems, findInDatabase } from './look/things.ts';
import { databaseSql } from './restore/psql-script.ts';
import { restorePostgres } from './restore/restore.ts';
import { checkPostgresTarget } from './restore/target.ts';
import { connectPostgres } from './source/source.ts';
import type { PostgresAddress } from './types.ts';

export const postgresKind: DatabaseKind<PostgresMarks, PostgresAddress> = {
  type: 'postgresql',
  title: 'PostgreSQL',
  marks: postgresMarks,
  nameOf: ({ url }) => {
    const { hosts, database } = placeOf(url);
    return `${hosts}/${encodeURIComponent(database)}`;
  },
  connect: connectPostgres,
  baseOf: ({ listing, ...marks }, access) => ({ ...access, ...marks, root: listing }),
  withoutBase: stored => ({ ...stored, publishable: false }),
  targetOf,
  checkTarget: checkPostgresTarget,
  restore: restorePostgres,
  takesWish: true,
  sql: databaseSql,
  check,
  describeEntry: describeDatabaseEntry,
  look: { groups: databaseGroups, find: findInDatabase, items: databaseItems, diff: diffDatabases },
  exporting: { whole: exportForPsql, instructions: psqlInstructions, portable: exportPortable },
  salvage: salvageDatabase,
};

function targetOf(text: string): PostgresAddress {
  if (!/^postgres(ql)?:\/\//.test(text)) {
    throw engineError('USAGE', 'Cannot restore: --database is no postgresql:// URL', {
      remedy: 'Give it as postgresql://user@host:5432/name.',
    });
  }
  const isNamed = /[?&](service|dbname)=/.test(text);
  if (!isNamed && /^\w+:\/\/[^/?#]*\/*(?:[?#]|$)/.test(text)) {
    throw engineError('USAGE', 'Cannot restore: --database names no database', {
      remedy: 'Give it as postgresql://user@host:5432/name; one that does not exist yet is made.',
    });
  }
  return { type: 'postgresql', url: text };
}

async function check(
  source: ChunkSource,
  database: StoredDatabase<PostgresMarks>,
): Promise<string | undefined> {
  const found = await countDatabase(source, database.listing);
  for (const name of ['tables', 'rows', 'segments'] as const) {
    if (found[name] !== database[name])
      return `The database has ${found[name]} ${name}, its manifest says ${database[name]}`;
  }
  if (found.problem) return found.problem;
  if (!found.database) return 'The database has no facts';
  const { name, systemIdentifier } = found.database;
  if (name !== database.name || systemIdentifier !== database.systemIdentifier)
    return `The rows are of database ${name} on server ${systemIdentifier}, the manifest is of ${database.name} on ${database.systemIdentifier}`;
  return undefined;
}
