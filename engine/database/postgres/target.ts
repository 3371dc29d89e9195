import { StillpointError } from '../../../store/index.ts';
import { engineError } from '../../errors.ts';
import type { DatabaseTarget } from '../database.ts';
import { clearDatabase } from './clear.ts';
import { type Connection, openConnection } from './connection.ts';
import type { DatabaseRecord } from './facts-entry.ts';
import { identifier, literal } from './sql.ts';
import { listed } from './tables.ts';

/** What a restore finds where it is to go. */
type TargetState =
  | { readonly kind: 'absent' }
  | { readonly kind: 'empty'; readonly comment: string | null }
  | { readonly kind: 'unfinished'; readonly marker: Marker };

/** Kept as the comment of a database while it is being restored: it must not be taken for whole. */
interface Marker {
  readonly snapshot: string;
  /** Whether the restore made the database itself. */
  readonly isOurs: boolean;
  /** What the comment was before. */
  readonly comment: string | null;
}

const markerStart = 'stillpoint: restore unfinished';

function markerText(marker: Marker): string {
  const comment = marker.comment === null ? '-' : Buffer.from(marker.comment, 'utf8').toString('base64url');
  return `${markerStart} ${marker.snapshot} ${marker.isOurs ? 'created' : 'given'} ${comment}.`;
}

function readMarker(comment: string | null): Marker | undefined {
  const found = /^stillpoint: restore unfinished (\S+) (created|given) (\S*)\.$/.exec(comment ?? '');
  if (!found) return undefined;
  const before = found[3] === '-' ? null : Buffer.from(found[3] ?? '', 'base64url').toString('utf8');
  return { snapshot: found[1]!, isOurs: found[2] === 'created', comment: before };
}

/** Refuses a database that holds something: TARGET_NOT_EMPTY. Writes nothing. */
export async function checkDatabaseTarget(target: DatabaseTarget): Promise<void> {
  await using connection = await connectIfThere(target);
  await lookAt(connection, target);
}

/** A database that is ready to be restored into, marked as unfinished. */
export interface OpenTarget {
  readonly name: string;
  readonly warnings: readonly string[];
  /** Takes the marker off; the comment becomes the one restored, else what it was. */
  finish(connection: Connection): Promise<void>;
}

/** Makes the database where it is absent, clears what a killed restore of the same snapshot left, and marks it. */
export async function openTarget(target: DatabaseTarget, record: DatabaseRecord): Promise<OpenTarget> {
  let isOurs = false;
  let comment: string | null = null;
  const name = await (async () => {
    await using connection = await connectIfThere(target);
    const state = await lookAt(connection, target);
    const named = databaseName(connection, target);
    if (state.kind === 'empty') ({ comment } = state);
    if (state.kind === 'unfinished') ({ isOurs, comment } = state.marker);
    if (state.kind === 'unfinished' && !isOurs) await clearDatabase(connection!);
    if (state.kind === 'absent' || (state.kind === 'unfinished' && isOurs)) {
      await connection?.close();
      await createDatabase(target, { name: named, record, dropFirst: state.kind === 'unfinished' });
      isOurs = true;
    }
    return named;
  })();
  await using connection = await openConnection({ ...target, purpose: 'restore' });
  const warnings = await compareDatabases(connection, record);
  // The first names the owner; one that an administrator made has its own on purpose.
  if (!isOurs && record.databaseSql.length > 1)
    warnings.push(
      `The database was there already, so it keeps its own settings and grants instead of: ${record.databaseSql
        .slice(1)
        .map(([before, after]) => `${before}${record.database}${after}`)
        .join('; ')}`,
    );
  await connection.script('mark the database', [
    `COMMENT ON DATABASE ${identifier(name)} IS ${literal(markerText({ snapshot: target.snapshot, isOurs, comment }))}`,
  ]);
  return {
    name,
    warnings,
    async finish(last) {
      const text = isOurs ? record.comment : (comment ?? record.comment);
      await last.script('take the mark off the database', [
        ...(isOurs
          ? record.databaseSql.map(([before, after]) => `${before}${identifier(name)}${after}`)
          : []),
        `COMMENT ON DATABASE ${identifier(name)} IS ${text === null ? 'NULL' : literal(text)}`,
      ]);
    },
  };
}

async function connectIfThere(target: DatabaseTarget): Promise<Connection | undefined> {
  try {
    return await openConnection({ ...target, purpose: 'restore' });
  } catch (error) {
    if (error instanceof StillpointError && error.context['sqlState'] === '3D000') return undefined;
    throw error;
  }
}

function databaseName(connection: Connection | undefined, target: DatabaseTarget): string {
  const named =
    connection?.client.database ?? /\/([^/?]+)(?:\?|$)/.exec(target.url.replace(/^\w+:\/\/[^/]*/, ''))?.[1];
  if (named === undefined)
    throw engineError('CONFIG_INVALID', 'Cannot restore: the URL names no database', {
      remedy: 'Write it as postgresql://user@host:5432/database.',
    });
  return connection ? named : decodeURIComponent(named);
}

async function lookAt(connection: Connection | undefined, target: DatabaseTarget): Promise<TargetState> {
  if (!connection) return { kind: 'absent' };
  const [row] = await connection.rows<{ comment: string | null; objects: string[] }>(
    'look at the target',
    `SELECT (SELECT pg_catalog.shobj_description(oid, 'pg_database') FROM pg_catalog.pg_database
        WHERE datname = pg_catalog.current_database()) AS comment,
      ARRAY(${objectsSql} LIMIT 20) AS objects`,
  );
  const { comment, objects } = row!;
  const marker = readMarker(comment);
  if (marker?.snapshot === target.snapshot) return { kind: 'unfinished', marker };
  if (marker)
    throw engineError(
      'TARGET_NOT_EMPTY',
      `Cannot restore into ${connection.address}: it holds an unfinished restore of ${marker.snapshot.slice(0, 8)}`,
      { remedy: 'Finish that restore with the same command, or drop the database.' },
    );
  if (objects.length === 0) return { kind: 'empty', comment };
  throw engineError(
    'TARGET_NOT_EMPTY',
    `Cannot restore into ${connection.address}: it holds ${listed(objects)}`,
    {
      remedy: 'Name an empty database, or one that does not exist yet.',
    },
  );
}

/** Everything that a user made: numbers below 16384 are the server's own. Members of extensions come with those. */
const objectsSql = `SELECT pg_catalog.pg_describe_object(o.class, o.oid, 0) FROM (
  ${[
    ['pg_namespace', "n.nspname <> 'public' AND n.nspname !~ '^pg_(toast_)?temp_'"],
    ['pg_class', "n.relpersistence <> 't' AND n.relnamespace <> 'pg_toast'::pg_catalog.regnamespace"],
    ...[
      'pg_extension',
      'pg_proc',
      'pg_operator',
      'pg_opfamily',
      'pg_collation',
      'pg_conversion',
      'pg_cast',
      'pg_event_trigger',
      'pg_publication',
      'pg_foreign_data_wrapper',
      'pg_foreign_server',
      'pg_language',
      'pg_ts_config',
      'pg_ts_dict',
      'pg_ts_parser',
      'pg_ts_template',
    ].map(name => [name, 'true']),
    ['pg_type', "n.typrelid = 0 AND n.typelem = 0 AND n.typtype <> 'm'"],
  ]
    .map(
      ([catalog, condition]) =>
        `SELECT 'pg_catalog.${catalog}'::pg_catalog.regclass::oid AS class, n.oid FROM pg_catalog.${catalog} n
         WHERE n.oid >= 16384 AND ${condition}`,
    )
    .join(' UNION ALL ')}
  UNION ALL SELECT 'pg_catalog.pg_largeobject'::pg_catalog.regclass::oid, l.oid FROM pg_catalog.pg_largeobject_metadata l
) o WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype = 'e')`;

/** Connects to a database that every server has. */
async function maintenanceConnection(target: DatabaseTarget): Promise<Connection> {
  try {
    return await openConnection({ ...target, database: 'postgres', purpose: 'restore' });
  } catch (error) {
    if (!(error instanceof StillpointError && error.context['sqlState'] === '3D000')) throw error;
    return openConnection({ ...target, database: 'template1', purpose: 'restore' });
  }
}

async function createDatabase(
  target: DatabaseTarget,
  job: { readonly name: string; readonly record: DatabaseRecord; readonly dropFirst: boolean },
): Promise<void> {
  const { name, record } = job;
  await using connection = await maintenanceConnection(target);
  if (job.dropFirst)
    await connection.script(`drop the unfinished database ${name}`, [
      `DROP DATABASE IF EXISTS ${identifier(name)} WITH (FORCE)`,
    ]);
  const sql = createSql(name, { record, serverVersionNumber: connection.serverVersionNumber });
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

function createSql(
  name: string,
  made: { readonly record: DatabaseRecord; readonly serverVersionNumber: number },
): string {
  const { encoding, collation } = made.record;
  const version = made.serverVersionNumber;
  const providers: Readonly<Record<string, string>> = { c: 'libc', i: 'icu', b: 'builtin' };
  const options = [
    'TEMPLATE template0',
    `ENCODING ${literal(encoding)}`,
    ...(version >= 150_000 ? [`LOCALE_PROVIDER ${providers[collation.provider] ?? 'libc'}`] : []),
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
  return `CREATE DATABASE ${identifier(name)} ${options.join(' ')}`;
}

/** The encoding must be the same; another collation is worth a word. */
async function compareDatabases(connection: Connection, record: DatabaseRecord): Promise<string[]> {
  const sourceMajor = Math.floor(record.serverVersionNumber / 10_000);
  if (Math.floor(connection.serverVersionNumber / 10_000) < sourceMajor)
    throw engineError(
      'DATABASE_UNSUPPORTED',
      `Cannot restore into ${connection.address}: its server is older than PostgreSQL ${sourceMajor}, where the backup was made`,
      { remedy: `Restore into PostgreSQL ${sourceMajor} or newer.` },
    );
  const [row] = await connection.rows<{ encoding: string; collate: string; ctype: string }>(
    'look at the target',
    `SELECT pg_catalog.pg_encoding_to_char(encoding) AS encoding, datcollate AS collate, datctype AS ctype
     FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()`,
  );
  const { encoding, collate, ctype } = row!;
  if (encoding !== record.encoding)
    throw engineError(
      'TARGET_FAILED',
      `Cannot restore into ${connection.address}: its encoding is ${encoding}, the backup's ${record.encoding}`,
      { remedy: 'Drop it: the restore creates it with the right encoding.' },
    );
  if (collate === record.collation.collate && ctype === record.collation.ctype) return [];
  return [
    `The database sorts text by ${collate}/${ctype}; the one backed up did by ${record.collation.collate}/${record.collation.ctype}.`,
  ];
}

/** Names the roles that the definitions need and the server lacks, before anything is written. */
export async function checkRoles(target: DatabaseTarget, record: DatabaseRecord): Promise<void> {
  await using connection = (await connectIfThere(target)) ?? (await maintenanceConnection(target));
  const rows = await connection.rows<{ role: string }>(
    'list the roles',
    'SELECT rolname AS role FROM pg_catalog.pg_roles',
  );
  const there = new Set(rows.map(row => row.role));
  const missing = record.roles.filter(role => !there.has(role));
  if (missing.length === 0) return;
  throw engineError(
    'TARGET_FAILED',
    `Cannot restore into ${connection.address}: the server lacks ${missing.length === 1 ? 'the role' : 'the roles'} ${missing.join(', ')}`,
    {
      remedy: missing.map(role => `CREATE ROLE ${identifier(role)};`).join(' '),
      context: { roles: missing },
    },
  );
}
