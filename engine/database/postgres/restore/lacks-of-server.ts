import { StillpointError } from '../../../../store/index.ts';
import type { Connection } from '../connect/connection.ts';
import type { Collation } from '../entries/facts-entry.ts';
import { isCreateRole } from '../outline/foreign-sql.ts';
import { tablespaceOf } from '../outline/tablespaces.ts';
import { statementsOf, type Wanted } from '../outline/wanted.ts';
import { identifier, literal } from '../sql/quoting.ts';
import { leadingWords } from '../sql/statements.ts';
import type { Lack, ServerState } from './check-server.ts';

/** Roles, extensions, tablespaces and collations that definitions name and the server has not. */
export async function lacksOfServer(state: ServerState, wanted: Wanted): Promise<Lack[]> {
  const { connection } = state;
  const statements = [...statementsOf(wanted.definitions)];
  const lacks: Lack[] = [];
  const missing = async (needed: readonly string[], sql: string): Promise<string[]> => {
    if (needed.length === 0) return [];
    const there = await connection.rows<{ name: string }>('look at the server', sql);
    return needed.filter(name => !there.some(one => one.name === name));
  };

  const roles = await missing(wanted.record.roles, 'SELECT rolname AS name FROM pg_catalog.pg_roles');
  const globals = wanted.definitions.get('globals') ?? '';
  if (roles.length > 0)
    lacks.push({
      code: 'TARGET_FAILED',
      found: `the server lacks ${counted('role', roles)}`,
      remedy: roles.map(role => createRole(role, globals)).join(' '),
    });

  const tablespaces = await missing(
    [...new Set(statements.flatMap(one => tablespaceOf(one) ?? []))],
    'SELECT spcname AS name FROM pg_catalog.pg_tablespace',
  );
  if (tablespaces.length > 0)
    lacks.push({
      code: 'TARGET_FAILED',
      found: `the server lacks ${counted('tablespace', tablespaces)}`,
      remedy: `Make ${tablespaces.length === 1 ? 'it' : 'them'}, or give another: ${tablespaces
        .map(name => `--tablespace ${name}=pg_default`)
        .join(' ')}.`,
    });

  const extensions = await missing(
    extensionsOf(statements),
    'SELECT name::text AS name FROM pg_catalog.pg_available_extensions',
  );
  if (extensions.length > 0)
    lacks.push({
      code: 'TARGET_FAILED',
      found: `the server lacks ${counted('extension', extensions)}`,
      remedy: `Install on the server what holds ${extensions.join(', ')} (postgresql-contrib, or a package of its own).`,
    });
  return [...lacks, ...(await lacksOfCollations(state, { wanted, statements }))];
}

export function extensionsOf(statements: readonly string[]): string[] {
  const found = statements.flatMap(statement => {
    if (leadingWords(statement, 2).join(' ') !== 'create extension') return [];
    const name = /\bEXTENSION\s+(?:IF NOT EXISTS\s+)?("(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*)/u.exec(
      statement,
    )?.[1];
    return name === undefined ? [] : [name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name];
  });
  return [...new Set(found)];
}

/** Tried, and rolled back: nothing else tells for certain what the server's machine knows. */
async function lacksOfCollations(
  { connection, isThere }: ServerState,
  job: { readonly wanted: Wanted; readonly statements: readonly string[] },
): Promise<Lack[]> {
  const { record } = job.wanted;
  const lacks: Lack[] = [];
  for (const [name, options] of isThere ? [] : localesOf(record.collation)) {
    if (!(await refuses(connection, options))) continue;
    lacks.push({
      code: 'TARGET_FAILED',
      found: `the server's machine lacks the locale ${name} of the database`,
      remedy: `Install that locale and restart the server; or make an empty database with another (CREATE DATABASE … TEMPLATE template0 ENCODING '${record.encoding}' LOCALE 'C') and restore into that: text is then sorted otherwise.`,
    });
  }
  for (const statement of job.statements) {
    if (leadingWords(statement, 2).join(' ') !== 'create collation') continue;
    const [, name, options] = /\bCOLLATION\s+([^(]+?)\s*(\([\s\S]*\));?\s*$/.exec(statement) ?? [];
    if (!name || !options || !(await refuses(connection, options))) continue;
    lacks.push({
      code: 'TARGET_FAILED',
      found: `the server's machine lacks the locale of the collation ${name}`,
      remedy: 'Install that locale on it (an ICU locale: a server that is built with ICU).',
    });
  }
  return lacks;
}

/** The locales of a database, each as options of a collation. */
function localesOf({ provider, locale, collate, ctype }: Collation): [name: string, options: string][] {
  const named = provider === 'i' ? 'icu' : provider === 'b' ? 'builtin' : undefined;
  return [
    ...[...new Set([collate, ctype])]
      .filter(name => name !== 'C' && name !== 'POSIX')
      .map((name): [string, string] => [name, `(PROVIDER = libc, LOCALE = ${literal(name)})`]),
    ...(named && locale !== null
      ? [[`${locale} (${named})`, `(PROVIDER = ${named}, LOCALE = ${literal(locale)})`] as [string, string]]
      : []),
  ];
}

/** A locale of another encoding than that of this database is no lack. */
const unknownLocale =
  /could not create locale|No such file|not supported|could not open collator|unrecognized|invalid locale/i;

async function refuses(connection: Connection, options: string): Promise<boolean> {
  const action = 'try a collation';
  try {
    await connection.script(action, ['BEGIN', `CREATE COLLATION pg_temp.stillpoint_try ${options}`]);
    return false;
  } catch (error) {
    if (!(error instanceof StillpointError) || connection.isLost) throw error;
    return unknownLocale.test(error.message);
  } finally {
    if (!connection.isLost) await connection.script(action, ['ROLLBACK']);
  }
}

function counted(noun: string, names: readonly string[]): string {
  return `the ${noun}${names.length === 1 ? '' : 's'} ${names.join(', ')}`;
}

/** With the attributes that it had, where the backup knows them. */
function createRole(role: string, globals: string): string {
  const start = `CREATE ROLE ${identifier(role)}`;
  return globals.split('\n').find(line => line.startsWith(`${start} `) && isCreateRole(line)) ?? `${start};`;
}
