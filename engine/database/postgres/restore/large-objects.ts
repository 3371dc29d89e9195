import { type ChunkSource, type ListingRoot, readListing, storeError } from '../../../../store/index.ts';
import { type RowDigest, subtractDigest } from '../../digest.ts';
import { callsSql } from '../catalog/large-objects.ts';
import type { Connection } from '../connect/connection.ts';
import { copyInto, copyOut } from '../connect/copy-stream.ts';
import { decodeEntry } from '../entries/entry.ts';
import { keyPrefix } from '../entries/entry-parts.ts';
import type { RelationEntry } from '../entries/relation-entry.ts';
import { segmentRows } from '../rows/reconstruct.ts';
import {
  emptyTable,
  lengthenSql,
  pageBytes,
  pagesTable,
  pageTablesSql,
  seenTable,
  takePagesSql,
} from '../sql/large-object-pages.ts';
import { literal } from '../sql/quoting.ts';
import { counted } from './load.ts';

/**
 * Fills the objects, which exist, from the pages. Only a superuser could write pages as such, so they go through a
 * temporary table, a segment at a time.
 */
export async function loadLargeObjects(
  connection: Connection,
  task: {
    readonly relation: RelationEntry;
    readonly source: ChunkSource;
    readonly root: ListingRoot;
    readonly encoding: string;
    readonly onBytes: (bytes: number) => void;
  },
): Promise<void> {
  const action = 'load large objects';
  await connection.script(action, [
    ...pageTablesSql,
    `CREATE TEMPORARY TABLE IF NOT EXISTS ${seenTable} (loid oid, pageno int8, bytes int4)`,
  ]);
  const isBlind = !(await mayReadPages(connection));
  for await (const entry of readListing(task.source, task.root, {
    prefix: keyPrefix('segment', task.relation),
  })) {
    const segment = decodeEntry(entry);
    if (segment.entry !== 'segment')
      throw storeError('STORE_DAMAGED', 'Cannot read pages: no segment under its key');
    await connection.script(action, [`TRUNCATE ${pagesTable}`]);
    await copyInto(connection, {
      action,
      sql: `COPY ${pagesTable} FROM STDIN (FORMAT text, ENCODING ${literal(task.encoding)})`,
      rows: counted(segmentRows(task.source, segment), task.onBytes),
    });
    await connection.script(action, [
      ...takePagesSql,
      ...(isBlind
        ? [`INSERT INTO ${seenTable} SELECT loid, pageno, pg_catalog.octet_length(data) FROM ${pagesTable}`]
        : []),
    ]);
  }
  await connection.script(action, [lengthenSql]);
}

async function mayReadPages(connection: Connection): Promise<boolean> {
  const [row] = await connection.rows<{ may: boolean }>(
    'look at large objects',
    "SELECT pg_catalog.has_table_privilege('pg_catalog.pg_largeobject', 'SELECT') AS may",
  );
  return row!.may;
}

/** The statement that reads the restored objects as those stored were read; undefined: as a table. */
export async function restoredSql(
  connection: Connection,
  options: { readonly source: 'pages' | 'calls' | null; readonly encoding: string },
): Promise<string | undefined> {
  if (options.source === 'calls') return callsSql(options.encoding);
  if (await mayReadPages(connection)) return undefined;
  return `COPY (SELECT s.loid, s.pageno,
      pg_catalog.substr(pg_catalog.lo_get(s.loid, s.pageno * ${pageBytes}, ${pageBytes}), 1, s.bytes)
    FROM ${seenTable} s WHERE NOT EXISTS (
      SELECT FROM ${emptyTable} e WHERE e.loid = s.loid AND e.pageno = s.pageno)
  ) TO STDOUT (FORMAT text, ENCODING ${literal(options.encoding)})`;
}

/** What the restored pages must add up to: those stored less the empty ones that were not made again. */
export async function expectedPages(
  connection: Connection,
  options: { readonly stored: RowDigest; readonly encoding: string; readonly digestKey: Uint8Array },
): Promise<RowDigest> {
  const digest = await copyOut(connection, {
    action: 'read empty pages',
    sql: `COPY ${emptyTable} TO STDOUT (FORMAT text, ENCODING ${literal(options.encoding)})`,
    digestKey: options.digestKey,
    hasPlaces: false,
  });
  return subtractDigest(options.stored, digest);
}
