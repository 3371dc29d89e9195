import { StillpointError } from '../../../../store/index.ts';
import { engineError } from '../../../errors.ts';
import type { RestoredDatabase } from '../../database.ts';
import { readMarker } from '../../marker.ts';
import { listed } from '../catalog/rights.ts';
import type { Connection } from '../connect/connection.ts';
import { databaseNameOf, openConnection } from '../connect/open-connection.ts';
import type { ObjectName } from '../outline/names.ts';
import { keyOf } from '../outline/names.ts';
import type { Existing } from '../outline/select.ts';
import { readWanted, type Wanted } from '../outline/wanted.ts';
import { literal, qualified } from '../sql/quoting.ts';
import { refreshOrder, setvalSql } from '../sql/restore-steps.ts';
import type { RestorePostgresOptions } from '../types.ts';
import { loadInTransaction } from './load.ts';
import { statementsFor } from './older-server.ts';
import { runInTransaction } from './script.ts';
import { userObjectsSql } from './user-objects.ts';
import { verifyRows } from './verify-rows.ts';

/** Whether a database holds something, and not what a restore left unfinished. */
export async function isOccupied(connection: Connection): Promise<boolean> {
  const [row] = await connection.rows<{ comment: string | null; template: boolean; holds: boolean }>(
    'look at the target',
    `SELECT pg_catalog.shobj_description(oid, 'pg_database') AS comment, datistemplate AS template,
      EXISTS (${userObjectsSql}) AS holds
     FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()`,
  );
  const { comment, template, holds } = row!;
  return holds && !template && readMarker(comment) === undefined;
}

/** What a part finds there that it needs. Nothing of the part itself may be there: TARGET_NOT_EMPTY names what is. */
export async function lookBeside(connection: Connection, { part }: Wanted): Promise<Existing> {
  const { names = [], needed = [], schemas = [] } = part ?? {};
  const mine = new Set(names.map(one => keyOf(one.schema, one.name)));
  const found = await namesThere(connection, [...names, ...needed]);
  const taken = found.filter(one => mine.has(keyOf(one.schema, one.name)));
  if (taken.length > 0)
    throw engineError(
      'TARGET_NOT_EMPTY',
      `Cannot restore into ${connection.address}: it has ${listed(taken.map(one => `${one.schema}.${one.name}`))} already`,
      {
        remedy:
          'Nothing is written over. Restore into an empty database, or rename what is there (ALTER TABLE … RENAME TO …; its indexes, too).',
      },
    );
  const there = await connection.rows<{ name: string }>(
    'look at the target',
    `SELECT nspname AS name FROM pg_catalog.pg_namespace
     WHERE nspname = ANY (ARRAY[${schemas.map(literal).join(', ')}]::pg_catalog.text[])`,
  );
  return {
    objects: new Set(found.map(one => keyOf(one.schema, one.name))),
    schemas: new Set(there.map(one => one.name)),
  };
}

const catalogs: readonly (readonly [catalog: string, prefix: string])[] = [
  ...([
    ['class', 'rel'],
    ['type', 'typ'],
    ['proc', 'pro'],
    ['collation', 'coll'],
  ] as const),
  ...([
    ['opclass', 'opc'],
    ['opfamily', 'opf'],
    ['conversion', 'con'],
    ['statistic_ext', 'stx'],
  ] as const),
  ...([
    ['ts_config', 'cfg'],
    ['ts_dict', 'dict'],
    ['ts_parser', 'prs'],
    ['ts_template', 'tmpl'],
  ] as const),
];

function namesThere(connection: Connection, names: readonly ObjectName[]): Promise<ObjectName[]> {
  const list = (of: keyof ObjectName): string =>
    `ARRAY[${names.map(one => literal(one[of])).join(', ')}]::pg_catalog.text[]`;
  const there = catalogs
    .map(
      ([catalog, prefix]) =>
        `SELECT ${prefix}namespace AS space, ${prefix}name::pg_catalog.text AS name FROM pg_catalog.pg_${catalog}`,
    )
    .join(' UNION ALL ');
  return connection.rows<ObjectName>(
    'look at the target',
    `SELECT DISTINCT w.schema, w.name FROM ROWS FROM (pg_catalog.unnest(${list('schema')}), pg_catalog.unnest(${list('name')})) w (schema, name)
     JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema JOIN (${there}) t ON t.space = n.oid AND t.name = w.name
     ORDER BY 1, 2`,
  );
}

/**
 * Restores a part beside what a database holds, in one transaction: all of it or nothing. Undefined: the database is
 * absent, empty or unfinished: it is restored into as usual.
 */
export async function restoreBeside(options: RestorePostgresOptions): Promise<RestoredDatabase | undefined> {
  await using connection = await openConnection({ ...options, purpose: 'restore' }).catch(
    (error: unknown) => {
      if (error instanceof StillpointError && error.context['sqlState'] === '3D000') return undefined;
      throw error;
    },
  );
  if (!connection || !(await isOccupied(connection))) return undefined;
  const all = await readWanted(options);
  const existing = await lookBeside(connection, all);
  const wanted = await readWanted({ ...options, existing });
  const used = (all.part?.needed ?? []).filter(one => existing.objects.has(keyOf(one.schema, one.name)));
  const cut = (): void => connection.destroy();
  options.signal?.addEventListener('abort', cut, { once: true });
  try {
    const warnings = await fillBeside(connection, { ...options, wanted });
    const tables = wanted.relations.filter(one => one.kind === 'table');
    return {
      database: await databaseNameOf(options),
      tables: tables.length,
      rows: tables.reduce((sum, one) => sum + one.digest.rows, 0),
      verified: true,
      warnings: [
        ...wanted.warnings,
        ...warnings,
        ...(used.length > 0
          ? [
              `Used as they are there: ${listed(
                used.map(one => `${one.schema}.${one.name}`),
                20,
              )}`,
            ]
          : []),
      ],
    };
  } catch (error) {
    throw options.signal?.aborted ? options.signal.reason : error;
  } finally {
    options.signal?.removeEventListener('abort', cut);
  }
}

async function fillBeside(
  connection: Connection,
  job: RestorePostgresOptions & { readonly wanted: Wanted },
): Promise<string[]> {
  const { wanted } = job;
  const warnings: string[] = [];
  await connection.script('begin', ['BEGIN']);
  const before = statementsFor(connection.serverVersionNumber, wanted.definitions.get('pre-data') ?? '');
  await runInTransaction(connection, 'make the tables', before.join(''));
  const tables = wanted.relations.filter(one => one.kind === 'table');
  for (const relation of tables)
    if (relation.digest.rows > 0)
      await loadInTransaction(connection, {
        ...job,
        relation,
        encoding: wanted.record.encoding,
        onBytes: () => {},
      });
  for (const one of wanted.sequences) await connection.script('set the sequences', [setvalSql(one)]);
  await runInTransaction(
    connection,
    'make keys, indexes and triggers',
    wanted.definitions.get('post-data') ?? '',
  );
  for (const view of refreshOrder(wanted.relations)) {
    const action = `fill the materialized view ${view.schema}.${view.name}`;
    await connection.script(action, ['SAVEPOINT filling']);
    try {
      await connection.script(action, [`REFRESH MATERIALIZED VIEW ${qualified(view)}`]);
    } catch (error) {
      if (connection.isLost || !(error instanceof Error)) throw error;
      await connection.script(action, ['ROLLBACK TO SAVEPOINT filling']);
      warnings.push(`${error.message}. Mend that and REFRESH it.`);
    }
  }
  await verifyRows([connection], { outline: wanted, digestKey: job.digestKey });
  if (tables.length > 0)
    await connection.script('gather statistics', [`ANALYZE ${tables.map(qualified).join(', ')}`]);
  await job.onFilled?.();
  await connection.script('keep what was restored', ['COMMIT']);
  return warnings;
}
