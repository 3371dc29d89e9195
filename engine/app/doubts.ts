import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { databaseOf, mayBeSameDatabase, withoutPassword } from './jdbc.ts';
import { readJdbc } from './properties.ts';

export interface BackedUpPlaces {
  readonly home: string | null;
  readonly databaseUrl: string | null;
}

const newest = 'shared/bitbucket.properties';
/** What a home of Bitbucket holds, of whatever version: one of these. */
const signs = [newest, 'bitbucket.properties', 'shared/data', 'data/repositories'];

/**
 * What makes one doubt that home and database are those of the Bitbucket that is locked: a path one folder too high, the
 * name of another database. Both would be backed up as an exact pair, of the wrong things. Sentences; none: no doubt.
 */
export function doubtsAbout({ home, databaseUrl }: BackedUpPlaces): string[] {
  if (home === null) return [];
  const isShared = existsSync(join(home, '..', newest)) && basename(home) === 'shared';
  if (isShared || !signs.some(sign => existsSync(join(home, sign)))) {
    const near = [join(home, 'home'), join(home, '..')].find(path => existsSync(join(path, newest)));
    const hint = near === undefined ? 'set home.path to BITBUCKET_HOME' : `did you mean ${near}?`;
    return [`${home} does not look like a home of Bitbucket (no ${newest}, no repositories): ${hint}`];
  }
  const found = databaseUrl === null ? undefined : readJdbc(home);
  if (!found || databaseUrl === null || mayBeSameDatabase(found.jdbc, databaseUrl)) return [];
  return [
    `database.url names ${databaseOf(databaseUrl) ?? 'a database'}, but jdbc.url in ${found.name} says ${withoutPassword(found.jdbc)}: check that they are one`,
  ];
}
