import { engineError } from '../../errors.ts';
import type { Connection } from './connection.ts';
import type { ServerFacts } from './server.ts';

/** Without them the server does not fail, it leaves out what they would show. */
const onDatabase = ['SELECT', 'SHOW VIEW', 'TRIGGER', 'EVENT'] as const;
/** RELOAD for the moment in which nobody commits, PROCESS to see who else is connected. */
const onServer = ['RELOAD', 'PROCESS'] as const;

/** DATABASE_RIGHTS that names, in one message, all that the role lacks. */
export async function checkRights(connection: Connection, { versionNumber }: ServerFacts): Promise<void> {
  const grants = (await connection.rows('read the rights of the role', 'SHOW GRANTS')).map(
    ([grant]) => grant?.toString('utf8') ?? '',
  );
  const has = (right: string, on: readonly string[]): boolean =>
    grants.some(grant => on.some(one => grants1(grant, one, connection.database).has(right)));
  const missing = [
    ...onDatabase
      .filter(one => !has(one, ['server', 'database']))
      .map(one => `${one} on ${connection.database}.*`),
    ...onServer.filter(one => !has(one, ['server'])).map(one => `${one} on *.*`),
  ];
  const readsRoutines =
    has('SELECT', ['server', 'mysql', 'proc']) ||
    (versionNumber >= 110_300 && has('SHOW CREATE ROUTINE', ['server', 'database']));
  if (!readsRoutines)
    missing.push(
      versionNumber >= 110_300 ? `SHOW CREATE ROUTINE on ${connection.database}.*` : 'SELECT on mysql.proc',
    );
  if (missing.length === 0) return;
  throw engineError(
    'DATABASE_RIGHTS',
    `Cannot back up ${connection.address}: the role lacks ${missing.join(', ')}`,
    {
      remedy: 'Grant them: without one of them the server would leave things out in silence.',
    },
  );
}

const everything = new Set([...onDatabase, ...onServer, 'SHOW CREATE ROUTINE'] as readonly string[]);

/** What one line of SHOW GRANTS gives on the server, on the database, or on where routines are kept. */
function grants1(grant: string, on: string, database: string): ReadonlySet<string> {
  const found = /^GRANT (.+?) ON (?:TABLE )?(\S.*?) TO /.exec(grant);
  if (!found) return new Set();
  const [, rights, object] = found;
  if (!isOn(object!, on, database)) return new Set();
  if (/^ALL PRIVILEGES\b/.test(rights!)) return everything;
  // A right on some columns is no right on the table.
  return new Set(rights!.split(/, (?![^(]*\))/).map(right => right.trim()));
}

function isOn(object: string, on: string, database: string): boolean {
  if (on === 'server') return object === '*.*';
  if (on === 'mysql') return object === '`mysql`.*';
  if (on === 'proc') return object === '`mysql`.`proc`';
  const pattern = /^`((?:[^`]|``)+)`\.\*$/.exec(object)?.[1]?.replaceAll('``', '`');
  return pattern !== undefined && matches(pattern, database);
}

/** As the server compares the database of a grant: `_` and `%` are wild unless a backslash is before them. */
function matches(pattern: string, name: string): boolean {
  const source = pattern.replace(
    /\\([_%])|([_%])|[.*+?^${}()|[\]\\]/g,
    (all, escaped?: string, wild?: string) => {
      if (escaped) return escaped;
      if (wild) return wild === '%' ? '.*' : '.';
      return `\\${all}`;
    },
  );
  return new RegExp(`^${source}$`, 's').test(name);
}
