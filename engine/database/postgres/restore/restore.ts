import type { RestoredDatabase } from '../../database.ts';
import { equalDigests } from '../../digest.ts';
import type { Connection } from '../connect/connection.ts';
import { readDigest } from '../connect/copy-relation.ts';
import { openConnection } from '../connect/open-connection.ts';
import { allOrCut } from '../connect/workers.ts';
import type { SequenceValue } from '../entries/entry.ts';
import type { RelationEntry } from '../entries/relation-entry.ts';
import type { Outline } from '../outline/outline.ts';
import { readWanted } from '../outline/wanted.ts';
import { qualified } from '../sql/quoting.ts';
import { refreshOrder, setvalSql, splitPostData } from '../sql/restore-steps.ts';
import { groupsOf } from '../sql/statements.ts';
import type { RestorePostgresOptions } from '../types.ts';
import { restoreBeside } from './alongside.ts';
import { checkServer } from './check-server.ts';
import { expectedPages, loadLargeObjects, restoredSql } from './large-objects.ts';
import { loadTable } from './load.ts';
import { makeEarly, takeMakings } from './make-indexes.ts';
import { statementsFor } from './older-server.ts';
import { runDefinitions, runWhatHolds } from './script.ts';
import { openTarget } from './target.ts';
import { mismatch, verifyRows } from './verify-rows.ts';

/**
 * Restores a database listing into an absent or empty database and proves it by digest. Errors: TARGET_NOT_EMPTY,
 * TARGET_FAILED, RESTORE_MISMATCH, DATABASE_…, the store's. A restore that did not end leaves a mark in the database's
 * comment; the same one begun again clears what is there.
 */
export async function restorePostgres(options: RestorePostgresOptions): Promise<RestoredDatabase> {
  const outline = await readWanted(options);
  await checkServer(options, outline);
  const beside = options.wish?.isAlongside ? await restoreBeside(options) : undefined;
  if (beside) return beside;
  const target = await openTarget(options, outline);
  const connections: Connection[] = [];
  const cut = (): void => {
    for (const connection of connections) connection.destroy();
  };
  options.signal?.addEventListener('abort', cut, { once: true });
  try {
    const writers = options.writers ?? 2;
    for (let i = 0; i <= writers; i += 1)
      connections.push(await openConnection({ ...options, purpose: 'restore' }));
    const result = await fill({ ...options, outline, connections });
    const [first] = connections;
    await options.onFilled?.();
    await target.finish(first!);
    for (const connection of connections) await connection.close();
    return {
      database: target.name,
      ...result,
      verified: true,
      warnings: [...outline.warnings, ...target.warnings, ...result.warnings],
    };
  } catch (error) {
    throw options.signal?.aborted ? options.signal.reason : error;
  } finally {
    options.signal?.removeEventListener('abort', cut);
    cut();
  }
}

interface FillJob extends RestorePostgresOptions {
  readonly outline: Outline;
  /** The first runs what is done once, the others load. */
  readonly connections: readonly Connection[];
}

async function fill(job: FillJob): Promise<{ tables: number; rows: number; warnings: string[] }> {
  const { outline } = job;
  const [main, ...writers] = job.connections;
  const before = statementsFor(main!.serverVersionNumber, outline.definitions.get('pre-data') ?? '');
  await runDefinitions(main!, 'make the tables', before);
  await preferFastCompression(writers);
  await loadAll(job, writers);
  await restoreLargeObjects(job, main!);
  await setSequences(main!, outline.sequences);
  const { after, last } = splitPostData(outline.definitions.get('post-data') ?? '');
  const making = 'make keys, indexes and triggers';
  const warnings: string[] = [];
  const tables = outline.relations.filter(one => one.kind === 'table');
  const { early, others } = takeMakings(after, tables);
  await makeEarly(writers, making, early);
  if (job.lacksRows) warnings.push(...(await runWhatHolds(main!, making, others)));
  else await runDefinitions(main!, making, others);
  warnings.push(...(await refreshViews(main!, outline.relations)));
  await verifyRows(writers, job);
  warnings.push(...(await gatherStatistics(main!, tables)));
  await runDefinitions(main!, 'make event triggers', last);
  return { tables: tables.length, rows: tables.reduce((sum, one) => sum + one.digest.rows, 0), warnings };
}

/** Each after those that it reads. One that cannot be filled (it asks another server, say) costs no row: a warning. */
async function refreshViews(connection: Connection, relations: readonly RelationEntry[]): Promise<string[]> {
  const warnings: string[] = [];
  for (const view of refreshOrder(relations)) {
    const action = `fill the materialized view ${view.schema}.${view.name}`;
    try {
      await connection.script(action, [`REFRESH MATERIALIZED VIEW ${qualified(view)}`]);
    } catch (error) {
      if (connection.isLost || !(error instanceof Error)) throw error;
      warnings.push(`${error.message}. Mend that and REFRESH it.`);
    }
  }
  return warnings;
}

/** A partition that is on another server may be out of reach, or nobody's to ask: the others get theirs all the same. */
async function gatherStatistics(connection: Connection, tables: readonly RelationEntry[]): Promise<string[]> {
  const warnings: string[] = [];
  const analyze = async (target: string, isLast: boolean): Promise<boolean> => {
    try {
      await connection.script('gather statistics', [`ANALYZE${target}`]);
      return true;
    } catch (error) {
      if (connection.isLost || !(error instanceof Error)) throw error;
      if (isLast) warnings.push(`${error.message}. Mend that and ANALYZE.`);
      return false;
    }
  };
  if (await analyze('', false)) return warnings;
  for (const table of tables) await analyze(` ${qualified(table)}`, true);
  return warnings;
}

/** TOASTed values load 2.7 times faster with lz4 than with the default; columns that name a method keep theirs. */
async function preferFastCompression(connections: readonly Connection[]): Promise<void> {
  for (const connection of connections)
    await connection.rows(
      'choose a compression',
      `SELECT pg_catalog.set_config('default_toast_compression', 'lz4', false) FROM pg_catalog.pg_settings
       WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)`,
    );
}

/** Largest first, so that no writer is left with a large table when the others are done. */
async function loadAll(job: FillJob, writers: readonly Connection[]): Promise<void> {
  const tables = job.outline.relations
    .filter(one => one.kind === 'table' && one.digest.rows > 0)
    .sort((a, b) => b.heapBlocks - a.heapBlocks);
  const done = { tables: 0, rows: 0, bytes: 0 };
  const queue = tables.values();
  await allOrCut(writers, async writer => {
    for (const relation of queue) {
      await loadTable(writer, {
        relation,
        source: job.source,
        root: job.root,
        encoding: job.outline.record.encoding,
        onBytes: bytes => {
          done.bytes += bytes;
        },
      });
      done.tables += 1;
      done.rows += relation.digest.rows;
      job.onProgress?.({
        tablesDone: done.tables,
        tablesTotal: tables.length,
        rows: done.rows,
        bytes: done.bytes,
        bytesTotal: 0,
      });
    }
  });
}

/** Groups of statements, each a transaction of its own. */
async function runGroups(connection: Connection, action: string, sql: string | undefined): Promise<void> {
  for (const group of groupsOf(sql ?? '')) await runDefinitions(connection, action, group);
}

async function restoreLargeObjects(job: FillJob, connection: Connection): Promise<void> {
  const { definitions, relations, record } = job.outline;
  await runGroups(connection, 'make large objects', definitions.get('large-objects'));
  const relation = relations.find(one => one.kind === 'large-objects');
  if (!relation) return;
  const { encoding, largeObjectSource } = record;
  await loadLargeObjects(connection, { ...job, relation, encoding, onBytes: () => {} });
  const stored = relation.digest;
  const { digestKey } = job;
  const expected = await expectedPages(connection, { stored, encoding, digestKey });
  const sql = await restoredSql(connection, { source: largeObjectSource, encoding });
  const restored = await readDigest(connection, relation, { encoding, digestKey, sql });
  if (!equalDigests(expected, restored)) throw mismatch('large objects', { expected, restored });
  await runGroups(connection, 'give large objects to their owners', definitions.get('large-objects-owners'));
}

async function setSequences(connection: Connection, sequences: readonly SequenceValue[]): Promise<void> {
  const perStatement = 500;
  for (let from = 0; from < sequences.length; from += perStatement) {
    const statements = sequences.slice(from, from + perStatement).map(setvalSql);
    await connection.script('set the sequences', statements);
  }
}
