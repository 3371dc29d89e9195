import { type ChunkSource, type ListingRoot, storeError } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import { printableText } from '../look/names.ts';
import { commandKind } from './command/kind.ts';
import type {
  ConnectOptions,
  DatabaseAddress,
  DatabaseSource,
  DatabaseTarget,
  DatabaseWish,
  RestoreDatabaseOptions,
  RestoredDatabase,
  SqlOptions,
} from './database.ts';
import type { DatabaseKind, StoredDatabase } from './kind.ts';
import type { DatabaseMarks, KnownMarks, UnknownMarks } from './marks.ts';
import { mysqlKind } from './mysql/index.ts';
import { postgresKind } from './postgres/index.ts';

/** Every kind of database that this version knows. Each is given only what bears its own type. */
const kinds: Readonly<Record<DatabaseAddress['type'], DatabaseKind>> = {
  command: commandKind,
  postgresql: postgresKind,
  mysql: mysqlKind,
};

/** The kind by the name that a configuration or a manifest has for it; undefined: this version does not know it. */
export function findKind(name: string): DatabaseKind | undefined {
  return Object.hasOwn(kinds, name) ? kinds[name as DatabaseAddress['type']] : undefined;
}

/** The kind of an address, or of a stored database. STORE_NEWER for one that only a later version knows. */
export function kindOf(of: { readonly type: DatabaseAddress['type'] } | UnknownMarks): DatabaseKind {
  if (of.type !== 'unknown') return kinds[of.type];
  throw newer(of);
}

/** A stored database of a kind that this version knows. STORE_NEWER. */
export function knownDatabase(stored: StoredDatabase): StoredDatabase<KnownMarks> {
  if (stored.type !== 'unknown') return stored;
  throw newer(stored);
}

const newer = ({ kind }: UnknownMarks): Error =>
  storeError('STORE_NEWER', `Cannot read the database: it is of the kind ${printableText(kind)}`, {
    remedy: 'Use a newer version of this program; the home can be read with this one.',
  });

/** As people call a stored database: `PostgreSQL 15.20`. */
export function databaseTitle(stored: StoredDatabase): string {
  const title = stored.type === 'unknown' ? stored.kind : kinds[stored.type].title;
  return stored.serverVersion === '' ? title : `${title} ${stored.serverVersion}`;
}

/** Its URL, which may hold a password; null for what has none. */
export function urlOf(address: DatabaseAddress | null | undefined): string | null {
  return address && 'url' in address ? address.url : null;
}

/** Where `restore --database TEXT` restores a stored database to, by commands that this machine is configured with. USAGE. */
export function databaseTarget(
  stored: DatabaseMarks,
  { text, configured = null }: { readonly text: string; readonly configured?: DatabaseAddress | null },
): DatabaseAddress {
  return kindOf(stored).targetOf(text, configured);
}

/** For people, markers and hooks; empty where it has no address that can be told. */
export function nameOfDatabase(address: DatabaseAddress): string {
  return kindOf(address).nameOf(address) ?? '';
}

/** Connects, and checks that the database is one that this program can back up. */
export function connectDatabase(options: DatabaseAddress & ConnectOptions): Promise<DatabaseSource> {
  return kindOf(options).connect(options);
}

/** Refuses what holds something, and what cannot take the database. Writes nothing. */
export function checkDatabaseTarget(
  target: DatabaseTarget & { readonly source?: ChunkSource; readonly root?: ListingRoot },
): Promise<void> {
  return kindOf(target).checkTarget(target);
}

/** USAGE where a kind cannot restore it as it is wished. */
export function checkWish(
  of: { readonly type: DatabaseAddress['type'] },
  wish: DatabaseWish | undefined,
): void {
  const kind = kindOf(of);
  if (kind.takesWish || !wish) return;
  const { owner = 'keep', grants = true } = wish.owners ?? {};
  const isPlain =
    !wish.tables &&
    !wish.schemas &&
    !wish.isAlongside &&
    !wish.tablespaces?.size &&
    owner === 'keep' &&
    grants;
  if (isPlain) return;
  throw engineError('USAGE', `Cannot restore a part, or to other owners: the database is of ${kind.title}`, {
    remedy: 'Restore it whole, and as it was.',
  });
}

/** A stored database as a script for the vendor's own program. USAGE where its kind has none. */
export function sqlOf(stored: StoredDatabase, options: SqlOptions): AsyncIterable<Uint8Array | string> {
  const kind = kindOf(stored);
  checkWish(kind, options.wish);
  if (kind.sql) return kind.sql(options);
  throw engineError('USAGE', `Cannot write SQL: the database is of ${kind.title}`, {
    remedy: 'Restore it into a server of its kind.',
  });
}

export function restoreDatabase(options: RestoreDatabaseOptions): Promise<RestoredDatabase> {
  return kindOf(options).restore(options);
}
