import { isSameDatabase, withoutPassword } from '../app/jdbc.ts';
import { readJdbc } from '../app/properties.ts';
import { printableText } from '../look/names.ts';
import type { Snapshot } from '../pair.ts';

export interface AfterwardsOptions {
  /** Where the home was restored to, if it was. */
  readonly home: string | undefined;
  /** What the database was restored into, if it was: its URL without a password, or what commands were told. */
  readonly databaseUrl: string | undefined;
  /** What was done about jdbc.url, if anything. */
  readonly jdbc: readonly string[];
}

/** What the administrator must know or do after a restore, most urgent first. A sentence or two each. */
export function afterwards(snapshot: Snapshot, options: AfterwardsOptions): string[] {
  const { displayName, version, identity } = snapshot.fence.application;
  const isBitbucket = snapshot.fence.application.type === 'bitbucket';
  return [
    ...(snapshot.internal ? [] : aboutDatabase(options, snapshot.database?.type)), // one that lies in the home came with it
    ...options.jdbc,
    ...aboutLogin(options, snapshot.database?.type),
    ...(version
      ? [`Install ${printableText(`${displayName} ${version}`)}: the version that was backed up.`]
      : []),
    ...(identity
      ? [
          `The base URL of the backup was ${printableText(identity)}: change it in the administration pages if this instance has another, ` +
            'and keep outgoing mail off until then.',
        ]
      : []),
    ...(isBitbucket && options.databaseUrl !== undefined
      ? ['The licence came with the database: a second instance beside the first needs one of its own.']
      : []),
    ...(isBitbucket && options.home !== undefined
      ? [
          'Caches and search indexes are not part of a backup: let the application rebuild its search index (Administration › Search).',
        ]
      : []),
  ];
}

/** A twin that writes to the live database destroys both, so that what the settings say comes first. */
function aboutDatabase({ home, databaseUrl }: AfterwardsOptions, type: string | undefined): string[] {
  const found = home === undefined ? undefined : readJdbc(home);
  if (!found) return [];
  const { name, jdbc } = found;
  const says = `${name} says jdbc.url=${printableText(withoutPassword(jdbc))}`;
  if (databaseUrl === undefined) {
    return [
      `DO NOT START the application before you have looked: ${says}, and no database was restored with this home. ` +
        'It must hold the same snapshot, and no other instance may use it.',
    ];
  }
  if (isSameDatabase(jdbc, databaseUrl)) return [];
  // Of what a command restores into only that command knows the URL.
  const remedy = type === 'command' ? '.' : ', or restore with --set-jdbc.';
  return [
    `DO NOT START the application yet: ${says}, but the database was restored into ${databaseUrl}. A twin that writes ` +
      `to the live database destroys both. Change that line first${remedy}`,
  ];
}

/** Roles are made anew on a new server, without their passwords. */
function aboutLogin({ home, databaseUrl }: AfterwardsOptions, type: string | undefined): string[] {
  const user = home === undefined || databaseUrl === undefined ? undefined : readJdbc(home)?.user;
  if (user === undefined) return [];
  const how =
    type === 'postgresql'
      ? `, ALTER ROLE "${printableText(user.replaceAll('"', '""'))}" PASSWORD '…'.`
      : type === 'mysql'
        ? `: CREATE USER or ALTER USER … IDENTIFIED BY '…', and grant it what it needs.`
        : '.';
  return [
    `The application logs in as ${printableText(user)}, with jdbc.password: on a new server set it${how}`,
  ];
}
