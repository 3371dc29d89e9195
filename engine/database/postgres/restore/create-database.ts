import { StillpointError } from '../../../../store/index.ts';
import { engineError } from '../../../errors.ts';
import type { Connection } from '../connect/connection.ts';
import { openConnection } from '../connect/open-connection.ts';
import type { DatabaseRecord } from '../entries/facts-entry.ts';
import { isOwnerPair } from '../outline/owners.ts';
import { identifier, literal } from '../sql/quoting.ts';
import type { PostgresTarget } from '../types.ts';

/** Not there, or closed to this role. */
const otherMayDo: ReadonlySet<unknown> = new Set(['3D000', '42501']);

/** Connects to a database that every server has; where it has not, or does not let this role in, to the target itself. */
export async function maintenanceConnection(target: PostgresTarget): Promise<Connection> {
  let first: unknown;
  for (const database of ['postgres', 'template1', undefined]) {
    try {
      return await openConnection({ ...target, database, purpose: 'restore' });
    } catch (error) {
      first ??= error;
      if (!(error instanceof StillpointError) || !otherMayDo.has(error.context['sqlState'])) throw first;
    }
  }
  throw first;
}

/** Makes it as the source was: encoding, collation. TARGET_FAILED, DATABASE_RIGHTS. */
export async function createDatabase(
  target: PostgresTarget,
  job: { readonly name: string; readonly record: DatabaseRecord; readonly dropFirst: boolean },
): Promise<void> {
  const { name, record } = job;
  await using connection = await maintenanceConnection(target);
  if (job.dropFirst)
    await connection.script(`drop the unfinished database ${name}`, [
      `DROP DATABASE IF EXISTS ${identifier(name)} WITH (FORCE)`,
    ]);
  const { serverVersionNumber } = connection;
  // Its owner may make things in the schema public, and who only is a member of that role may not give him any before.
  const [, owner] = record.databaseSql.find(isOwnerPair) ?? [];
  const sql = [
    createDatabaseSql(identifier(name), { record, serverVersionNumber }),
    ...(owner === undefined ? [] : [owner.replace(' OWNER TO ', ' OWNER ')]),
  ].join('');
  try {
    await connection.script(`create the database ${name}`, [sql]);
  } catch (error) {
    if (!(error instanceof StillpointError)) throw error;
    const remedy =
      error.code === 'DATABASE_RIGHTS'
        ? `As a superuser: ALTER ROLE "${connection.client.user ?? ''}" CREATEDB; or create the database for it.`
        : `Create an empty database with encoding ${record.encoding} by hand and restore into that.`;
    throw engineError(error.code === 'DATABASE_RIGHTS' ? 'DATABASE_RIGHTS' : 'TARGET_FAILED', error.message, {
      remedy,
      cause: error,
    });
  }
}

/** Makes a database as the source was, on a server of a version. The name is quoted already. */
export function createDatabaseSql(
  name: string,
  made: { readonly record: DatabaseRecord; readonly serverVersionNumber: number },
): string {
  const { encoding, collation } = made.record;
  const version = made.serverVersionNumber;
  const providers = new Map([
    ['c', 'libc'],
    ['i', 'icu'],
    ['b', 'builtin'],
  ]);
  const options = [
    'TEMPLATE template0',
    `ENCODING ${literal(encoding)}`,
    ...(version >= 150_000 ? [`LOCALE_PROVIDER ${providers.get(collation.provider) ?? 'libc'}`] : []),
    `LC_COLLATE ${literal(collation.collate)}`,
    `LC_CTYPE ${literal(collation.ctype)}`,
    ...(collation.provider === 'i' && collation.locale !== null
      ? [`ICU_LOCALE ${literal(collation.locale)}`]
      : []),
    ...(collation.icuRules !== null ? [`ICU_RULES ${literal(collation.icuRules)}`] : []),
    ...(collation.provider === 'b' && collation.locale !== null
      ? [`BUILTIN_LOCALE ${literal(collation.locale)}`]
      : []),
  ];
  return `CREATE DATABASE ${name} ${options.join(' ')}`;
}
