import type { ChunkSource } from '../../../store/index.ts';
import { engineError } from '../../errors.ts';
import type { RestoredDatabase } from '../database.ts';
import { equalDigests } from '../digest.ts';
import { kindOf, readColumns } from './columns.ts';
import { type Connection, openConnection } from './connection.ts';
import { makeObjects, readSql, rowSession, tableSession } from './definitions.ts';
import { checkForeignKeys } from './foreign-keys.ts';
import { loadTable } from './load.ts';
import { type Outline, readOutline } from './outline.ts';
import { aboutNamesakes, withoutOwnName } from './own-name.ts';
import { onEach } from './pool.ts';
import { readDigest } from './ranges.ts';
import { rowHashing } from './row-hash.ts';
import { listed, quoted } from './sql.ts';
import { openTarget } from './target.ts';
import type { RestoreMysqlOptions } from './types.ts';

const statementBytesDefault = 1024 * 1024;

/**
 * Restores a database listing into an absent or empty database and proves it by digest. Errors: TARGET_NOT_EMPTY,
 * TARGET_FAILED, RESTORE_MISMATCH, DATABASE_…, the store's. A restore that did not end leaves a mark in the database's
 * comment; the same one begun again clears what is there.
 */
export async function restoreMysql(options: RestoreMysqlOptions): Promise<RestoredDatabase> {
  const outline = await readOutline(options);
  const target = await openTarget(options, outline);
  const connections: Connection[] = [];
  const cut = (): void => {
    for (const connection of connections) connection.destroy();
  };
  options.signal?.addEventListener('abort', cut, { once: true });
  try {
    for (let i = 0; i <= (options.writers ?? 2); i += 1)
      connections.push(await openConnection({ ...options, purpose: 'restore' }));
    const [first, ...writers] = connections as [Connection, ...Connection[]];
    const warnings = await fill({ ...options, outline, main: first, writers });
    await options.onFilled?.();
    await target.finish(first);
    const { database } = first;
    for (const connection of connections) await connection.close();
    const rows = outline.tables.reduce((sum, one) => sum + one.digest.rows, 0);
    return { database, tables: outline.tables.length, rows, verified: true, warnings };
  } catch (error) {
    throw options.signal?.aborted ? options.signal.reason : error;
  } finally {
    options.signal?.removeEventListener('abort', cut);
    cut();
  }
}

interface FillJob extends Omit<RestoreMysqlOptions, 'writers'> {
  readonly outline: Outline;
  readonly main: Connection;
  readonly writers: readonly Connection[];
}

async function fill(job: FillJob): Promise<string[]> {
  const { main, outline, source } = job;
  const { objects } = outline;
  await makeTables(main, outline, source);
  await loadAll(job);
  await setNumbers(main, outline);
  await verifyRows(job);
  const warnings = await checkForeignKeys(main);
  warnings.push(...(await missingDefiners(main, outline)));
  if (main.database !== outline.facts.database)
    warnings.push(
      ...(await aboutNamesakes(outline, one => readSql(source, `${one.class} ${one.name}`, one.sql))),
    );
  const make = { source, objects };
  warnings.push(
    ...(await makeObjects(main, {
      ...make,
      classes: ['package', 'package body', 'function', 'procedure', 'view'],
    })),
  );
  await main.run(
    'gather statistics',
    outline.tables.map(one => `ANALYZE TABLE ${quoted(one.name)}`),
  );
  const events = objects.filter(one => one.class === 'event').map(one => one.name);
  if (events.length > 0)
    warnings.push(
      `Where event_scheduler is on, these events run by themselves, unless disabled: ${listed(events)}`,
    );
  // They would have seen what was done; an event may run as soon as it is there.
  warnings.push(...(await makeObjects(main, { ...make, classes: ['trigger', 'event'] })));
  return warnings;
}

/** In any order: keys of other tables are not looked for while they are made. Sequences first, since columns take numbers from them. */
async function makeTables(main: Connection, outline: Outline, source: ChunkSource): Promise<void> {
  await main.run('make tables', [...tableSession]);
  for (const { name, sql } of outline.sequences)
    await main.run(`make sequence ${name}`, [await readSql(source, `sequence ${name}`, sql)]);
  const { database } = outline.facts;
  for (const { name, sql } of outline.tables)
    await main.run(`make table ${name}`, [
      withoutOwnName(await readSql(source, `table ${name}`, sql), database),
    ]);
  await main.run('go back to reading rows', [...rowSession]);
}

async function loadAll(job: FillJob): Promise<void> {
  const { outline, writers, main } = job;
  const tables = outline.tables
    .filter(one => one.digest.rows > 0)
    .sort((a, b) => b.digest.rows - a.digest.rows);
  const [row] = await main.texts('look at the server', 'SELECT @@max_allowed_packet AS p');
  const packetBytes = Number(row!['p']);
  const statementBytes = Math.min(statementBytesDefault, Math.floor(packetBytes / 4));
  const done = { tablesDone: 0, rows: 0, bytes: 0 };
  await onEach(writers, tables, async (writer, table) => {
    await loadTable(writer, {
      ...{ table, source: job.source, root: job.root, statementBytes, packetBytes },
      onBytes: bytes => {
        done.bytes += bytes;
      },
    });
    done.tablesDone += 1;
    done.rows += table.digest.rows;
    job.onProgress?.({ ...done, tablesTotal: tables.length, bytesTotal: 0 });
  });
}

async function setNumbers(main: Connection, { tables, sequences }: Outline): Promise<void> {
  for (const { name, autoIncrement } of tables)
    if (autoIncrement !== null && autoIncrement > 0n)
      await main.run(`set the next number of ${name}`, [
        `ALTER TABLE ${quoted(name)} AUTO_INCREMENT = ${autoIncrement}`,
      ]);
  for (const { name, next, cycles } of sequences)
    await main.run(`set the sequence ${name}`, [`SELECT SETVAL(${quoted(name)}, ${next}, 0, ${cycles})`]);
}

/** Has the server hash every row of every table as it is now: RESTORE_MISMATCH names the first that differs. */
async function verifyRows(job: FillJob): Promise<void> {
  const columns = await readColumns(job.main);
  const hashing = rowHashing(job.digestKey);
  await onEach(job.writers, job.outline.tables, async (writer, { name, columns: names, digest }) => {
    const own = names.map(one => columns.get(name)?.find(column => column.name === one));
    const known = own.filter(one => one !== undefined);
    const kinds = known.map(column => kindOf(name, column));
    const found =
      known.length === names.length
        ? await readDigest(
            writer,
            { name, columns: known, kinds, key: undefined },
            { hashing, from: null, before: null },
          )
        : undefined;
    if (found && equalDigests(found, digest)) return;
    const shown = found ? `${found.rows} rows with hash ${found.sum}` : 'rows that the server cannot hash';
    throw engineError(
      'RESTORE_MISMATCH',
      `Cannot restore table ${name}: it has ${shown}, the snapshot ${digest.rows} with ${digest.sum}`,
      {
        remedy: found
          ? 'Run `stillpoint verify --read-data` on the store; if it finds nothing, report this.'
          : 'Raise max_allowed_packet of the server, then run it again.',
      },
    );
  });
}

/** Whose rights views and routines act with, and who is not there. */
async function missingDefiners(main: Connection, { objects }: Outline): Promise<string[]> {
  const definers = [...new Set(objects.map(one => one.definer))].filter(one => one !== '').sort();
  if (definers.length === 0) return [];
  const rows = await main
    .texts('look for accounts', `SELECT CONCAT(User, '@', Host) AS a FROM mysql.user`)
    .catch(() => undefined);
  if (!rows) return [`Views and routines act for these accounts, which must be there: ${listed(definers)}`];
  const there = new Set(rows.map(one => one['a']));
  const missing = definers.filter(one => !there.has(one));
  return missing.length === 0
    ? []
    : [`These accounts, for which views and routines act, are missing: ${listed(missing)}`];
}
