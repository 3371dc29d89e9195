import { StillpointError } from '../../../store/index.ts';
import { engineError } from '../../errors.ts';
import { type Connection, openConnection } from './connection.ts';
import type { DatabaseRecord } from './facts-entry.ts';
import { identifier, literal } from './sql.ts';
import type { PostgresTarget } from './types.ts';

/** Connects to a database that every server has. */
export async function maintenanceConnection(target: PostgresTarget): Promise<Connection> {
  try {
    return await openConnection({ ...target, database: 'postgres', purpose: 'restore' });
  } catch (error) {
    if (!(error instanceof StillpointError && error.context['sqlState'] === '3D000')) throw error;
    return openConnection({ ...target, database: 'template1', purpose: 'restore' });
  }
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
  const sql = createDatabaseSql(identifier(name), { record, serverVersionNumber });
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
