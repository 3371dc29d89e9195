import { engineError } from '../../../../errors.ts';
import { type Context, keyOf, type ObjectKey, type Refusal } from './definitions.ts';
import { type Dependency, wholes } from './depends.ts';
import { append } from './multimap.ts';
import type { Select, Server } from './query.ts';
import { firstUserOid } from './sql.ts';

/** The servers whose catalogs this reader knows: what a newer one adds would go unseen. */
const knownMajors = { first: 14, last: 18 } as const;
/** How many objects a message names. */
const namedMax = 20;

/** Refuses a server whose catalogs are not known. DATABASE_UNSUPPORTED. */
export function checkVersion({ versionNumber }: Server): void {
  const major = Math.floor(versionNumber / 10_000);
  if (major >= knownMajors.first && major <= knownMajors.last) return;
  throw engineError(
    'DATABASE_UNSUPPORTED',
    `Cannot read definitions: the server is PostgreSQL ${major}, the catalogs of ${knownMajors.first} to ${knownMajors.last} are known`,
    { remedy: remedyFor(versionNumber), context: { server: versionNumber } },
  );
}

/** Throws DATABASE_UNSUPPORTED naming every object that no reader has taken. */
export async function refuseTheRest(context: Context, dependencies: readonly Dependency[]): Promise<void> {
  const { select, server, definitions } = context;
  const exempt = await exemptObjects(select, dependencies);
  const found = [
    ...definitions.refusals.filter(({ key }) => !exempt.has(key)),
    ...(await unknownObjects(context, dependencies, exempt)),
    ...(await otherState(select)),
  ];
  const named = new Set(found.filter(({ isRemark }) => !isRemark).map(({ key }) => key));
  const worthNaming = found.filter(({ key, isRemark }) => !(isRemark && named.has(key)));
  const texts = [...new Set(worthNaming.map(({ text }) => text))].sort();
  if (texts.length === 0) return;
  const rest = texts.length - namedMax;
  const list = texts.slice(0, namedMax).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
  throw engineError('DATABASE_UNSUPPORTED', `Cannot read definitions: only pg_dump can write ${list}`, {
    remedy: remedyFor(server.versionNumber),
    context: { objects: texts },
  });
}

function remedyFor(versionNumber: number): string {
  const major = Math.floor(versionNumber / 10_000);
  return `Install the package postgresql-client-${major} (or a newer one), whose pg_dump is used when it is there.`;
}

/** Every object of every catalog, known or not, that is neither claimed nor part of something claimed. */
async function unknownObjects(
  { select, definitions }: Context,
  dependencies: readonly Dependency[],
  exempt: ReadonlySet<ObjectKey>,
): Promise<Refusal[]> {
  const catalogs = await select<{ name: string; readable: 't' | 'f' }>(
    `SELECT c.relname AS name, pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT') AS readable
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'oid'
     WHERE c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace AND c.relkind = 'r' AND NOT c.relisshared
       AND c.relname NOT IN ('pg_enum', 'pg_largeobject_metadata')`, // parts of their types; rows
  );
  // Whose passwords these may hold; the view shows that they are there.
  const source = (name: string): string =>
    name === 'pg_user_mapping'
      ? '(SELECT umid AS oid FROM pg_catalog.pg_user_mappings) AS m'
      : `pg_catalog.${name}`;
  const hidden = catalogs.filter(({ name, readable }) => readable === 'f' && name !== 'pg_user_mapping');
  const parts = catalogs
    .filter(one => !hidden.includes(one))
    .map(({ name }) => `SELECT '${name}' AS catalog, oid FROM ${source(name)} WHERE oid >= ${firstUserOid}`);
  const objects = await select<{ catalog: string; oid: string }>(parts.join('\nUNION ALL '));
  const wholeOf = wholes(dependencies);
  const known = (key: ObjectKey): boolean =>
    definitions.claims.has(key) || exempt.has(key) || (wholeOf.get(key) ?? []).some(known);
  const refused = new Set(definitions.refusals.filter(({ isRemark }) => !isRemark).map(({ key }) => key));
  const isPartOfRefused = (key: ObjectKey): boolean =>
    refused.has(key) || (wholeOf.get(key) ?? []).some(isPartOfRefused);
  const unknown = objects.filter(({ catalog, oid }) => {
    const key = keyOf(catalog, oid);
    return !known(key) && !isPartOfRefused(key);
  });
  const described = await describe(select, unknown);
  return [
    ...hidden.map(({ name }) => ({
      key: keyOf(name, '0'),
      text: `the unreadable catalog ${name}`,
      isRemark: false,
    })),
    ...described,
  ];
}

async function describe(
  select: Select,
  objects: readonly { catalog: string; oid: string }[],
): Promise<Refusal[]> {
  if (objects.length === 0) return [];
  const rows = await select<{ catalog: string; oid: string; text: string | null }>(
    `SELECT o.catalog, o.oid,
       pg_catalog.pg_describe_object(('pg_catalog.' || o.catalog)::pg_catalog.regclass, o.oid, 0) AS text
     FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::oid[])) AS o(catalog, oid)`,
    [`{${objects.map(one => one.catalog)}}`, `{${objects.map(one => one.oid)}}`],
  );
  return rows.map(({ catalog, oid, text }) => ({
    key: keyOf(catalog, oid),
    text: text ?? `${catalog} ${oid}`,
    isRemark: false,
  }));
}

/** What no definition speaks of: temporary objects of any session, TOAST, the extension that every database has. */
async function exemptObjects(select: Select, dependencies: readonly Dependency[]): Promise<Set<ObjectKey>> {
  const rows = await select<{ catalog: string; oid: string }>(
    `SELECT 'pg_namespace' AS catalog, oid FROM pg_catalog.pg_namespace WHERE nspname ~ '^pg_(toast_)?temp_'
     UNION ALL SELECT 'pg_class', oid FROM pg_catalog.pg_class WHERE relnamespace = 'pg_toast'::pg_catalog.regnamespace
     UNION ALL SELECT 'pg_extension', oid FROM pg_catalog.pg_extension WHERE extname = 'plpgsql'
     UNION ALL SELECT 'pg_language', oid FROM pg_catalog.pg_language WHERE lanname = 'plpgsql'
     UNION ALL SELECT 'pg_proc', oid FROM pg_catalog.pg_proc WHERE pronamespace = 'pg_catalog'::pg_catalog.regnamespace
       AND proname IN ('plpgsql_call_handler', 'plpgsql_inline_handler', 'plpgsql_validator')`,
  );
  const exempt = new Set(rows.map(({ catalog, oid }) => keyOf(catalog, oid)));
  const dependents = new Map<ObjectKey, Dependency[]>();
  for (const one of dependencies) append(dependents, one.to, one);
  // A set grows while it is walked, and the walk sees what was added.
  for (const key of exempt)
    for (const { from, kind } of dependents.get(key) ?? [])
      if ('ai'.includes(kind) || (kind === 'n' && key.startsWith('pg_namespace:'))) exempt.add(from);
  return exempt;
}

/** What has no oid of its own: marks on objects, and changes to the server's own ones. */
async function otherState(select: Select): Promise<Refusal[]> {
  const changed = (catalog: string, list: string, only: string): string =>
    `SELECT 'grants on the system''s ' || pg_catalog.pg_describe_object('pg_catalog.${catalog}'::pg_catalog.regclass, o.oid, 0)
     FROM pg_catalog.${catalog} o LEFT JOIN pg_catalog.pg_init_privs i ON i.objoid = o.oid AND i.objsubid = 0
       AND i.classoid = 'pg_catalog.${catalog}'::pg_catalog.regclass
     WHERE o.oid < ${firstUserOid} AND o.${list} IS DISTINCT FROM i.initprivs AND ${only}`;
  const isSystem = (column: string): string => `${column} = 'pg_catalog'::pg_catalog.regnamespace`;
  const rows = await select<{ text: string }>(
    [
      `SELECT 'security label on ' || pg_catalog.pg_describe_object(classoid, objoid, 0) AS text FROM pg_catalog.pg_seclabel`,
      `SELECT 'subscription ' || subname FROM pg_catalog.pg_subscription WHERE subdbid =
       (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())`,
      `SELECT 'tie to an extension of ' || pg_catalog.pg_describe_object(classid, objid, objsubid)
       FROM pg_catalog.pg_depend WHERE deptype = 'x'`,
      changed('pg_namespace', 'nspacl', isSystem('o.oid')),
      changed('pg_class', 'relacl', `NOT o.relisshared AND ${isSystem('o.relnamespace')}`),
      changed('pg_proc', 'proacl', isSystem('o.pronamespace')),
      changed('pg_type', 'typacl', isSystem('o.typnamespace')),
      `SELECT 'grants on the system''s ' || pg_catalog.pg_describe_object('pg_catalog.pg_class'::pg_catalog.regclass, a.attrelid, a.attnum)
       FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
         LEFT JOIN pg_catalog.pg_init_privs i ON i.objoid = c.oid
         AND i.objsubid = a.attnum AND i.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
       WHERE a.attrelid < ${firstUserOid} AND NOT c.relisshared AND ${isSystem('c.relnamespace')}
         AND a.attacl IS DISTINCT FROM i.initprivs`,
    ].join('\nUNION ALL '),
  );
  return rows.map(({ text }) => ({ key: keyOf('', ''), text, isRemark: false }));
}
