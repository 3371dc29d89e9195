import { type ChunkSource, type ListingRoot, readListing, storeError } from '../../../../store/index.ts';
import { type RowDigest, subtractDigest } from '../../digest.ts';
import type { Connection } from '../connect/connection.ts';
import { copyInto, copyOut } from '../connect/copy-stream.ts';
import { decodeEntry } from '../entries/entry.ts';
import { keyPrefix } from '../entries/entry-parts.ts';
import type { RelationEntry } from '../entries/relation-entry.ts';
import { segmentRows } from '../rows/reconstruct.ts';
import { literal } from '../sql/quoting.ts';
import type { Relation } from './relations.ts';

/** A page of a large object: a quarter of a heap block. */
const pageBytes = 2048;
const objectsPerStatement = 5000;
const readMode = 0x40000;
const writeMode = 0x20000;
const endOfObject = 2;

/** Stands for the pages where pg_largeobject itself may not be read. */
export const largeObjectCalls: Relation = {
  oid: 2613,
  schema: 'pg_catalog',
  name: 'pg_largeobject',
  kind: 'large-objects',
  columns: ['loid', 'pageno', 'data'],
  filenode: 0,
  isUnlogged: false,
  isPopulated: true,
  isHeap: false,
  condition: null,
  loadThrough: null,
};

/** How objects are read, if there are any: as pages where these may be read, else by calls; with the relation for it. */
export function withLargeObjects(
  relations: readonly Relation[],
  objects: { readonly count: number },
): { readonly source: 'pages' | 'calls' | null; readonly relations: readonly Relation[] } {
  const others = relations.filter(one => one.kind !== 'large-objects');
  if (objects.count === 0) return { source: null, relations: others };
  if (others.length < relations.length) return { source: 'pages', relations };
  return { source: 'calls', relations: [...relations, largeObjectCalls] };
}

const objectSizesSql = `SELECT o.oid, o.fd, pg_catalog.lo_lseek64(o.fd, 0, ${endOfObject}) AS size
      FROM (SELECT oid, pg_catalog.lo_open(oid, ${readMode}) AS fd FROM pg_catalog.pg_largeobject_metadata
        ORDER BY oid OFFSET 0) o OFFSET 0`;

/** Pages by asking for each object, which its owner may; holes come out as zeros. One segment, without places. */
export function callsSql(encoding: string): string {
  return `COPY (SELECT s.oid, p.page, pg_catalog.lo_get(s.oid, p.page * ${pageBytes}, ${pageBytes})
    FROM (${objectSizesSql}) s
      CROSS JOIN LATERAL (SELECT pg_catalog.lo_close(s.fd) OFFSET 0) c,
      LATERAL pg_catalog.generate_series(0::int8, (s.size + ${pageBytes - 1}) / ${pageBytes} - 1) p (page)
  ) TO STDOUT (FORMAT text, ENCODING ${literal(encoding)})`;
}

const hashedBytes = 256 * 1024;

/** A hash over all objects, their sizes and bytes, which the server computes: nobody tells which of them changed. */
export const callsSignatureSql = `
  SELECT pg_catalog.encode(pg_catalog.sha256(COALESCE(pg_catalog.string_agg(
    pg_catalog.sha256(pg_catalog.convert_to(s.oid || ' ' || s.size, 'UTF8') || COALESCE(x.pieces, ''::bytea)),
    ''::bytea ORDER BY s.oid), ''::bytea)), 'hex') AS signature
  FROM (${objectSizesSql}) s
    CROSS JOIN LATERAL (SELECT pg_catalog.lo_close(s.fd) OFFSET 0) c
    CROSS JOIN LATERAL (
      SELECT pg_catalog.string_agg(pg_catalog.sha256(pg_catalog.lo_get(s.oid, g.piece * ${hashedBytes}, ${hashedBytes})),
        ''::bytea ORDER BY g.piece) AS pieces
      FROM pg_catalog.generate_series(0::int8, (s.size + ${hashedBytes - 1}) / ${hashedBytes} - 1) g (piece)) x`;

/** How many there are in the pinned view, and SQL that makes them, empty. */
export async function readLargeObjectIds(connection: Connection): Promise<{ count: number; sql: string[] }> {
  const action = 'list the large objects';
  const sql: string[] = [];
  let count = 0;
  let last = 0;
  for (;;) {
    const rows = await connection.rows<{ oid: number }>(
      action,
      `SELECT oid FROM pg_catalog.pg_largeobject_metadata WHERE oid > ${last}::oid ORDER BY oid LIMIT ${objectsPerStatement}`,
    );
    if (rows.length === 0) return { count, sql };
    const oids = rows.map(row => row.oid);
    sql.push(
      `SELECT pg_catalog.lo_create(o.oid) FROM pg_catalog.unnest('{${oids.join(',')}}'::oid[]) o (oid)`,
    );
    count += rows.length;
    last = oids.at(-1)!;
  }
}

export const pagesTable = 'pg_temp.stillpoint_page';
const emptyTable = 'pg_temp.stillpoint_empty_page';
/** Which pages there are, for a role that may not look. */
const seenTable = 'pg_temp.stillpoint_seen_page';

const pageColumns = '(loid oid, pageno int8, data bytea)';

/** What pages go through: tables of the session. */
export const pageTablesSql: readonly string[] = [
  `CREATE TEMPORARY TABLE IF NOT EXISTS ${pagesTable} ${pageColumns}`,
  `CREATE TEMPORARY TABLE IF NOT EXISTS ${emptyTable} ${pageColumns}`,
];

/** Writes the pages that were copied in, but for empty ones. */
export const takePagesSql: readonly string[] = [
  `SELECT pg_catalog.count(pg_catalog.lo_put(loid, pageno * ${pageBytes}, data)::text)
       FROM ${pagesTable} WHERE pg_catalog.octet_length(data) > 0`,
  `INSERT INTO ${emptyTable} SELECT * FROM ${pagesTable} WHERE pg_catalog.octet_length(data) = 0`,
];

/** An empty page at the end is an object that was lengthened up to it; one in the middle reads as zeros anyway. */
export const lengthenSql = `DELETE FROM ${emptyTable} e USING (SELECT e.loid, e.pageno FROM ${emptyTable} e, LATERAL (
        SELECT pg_catalog.lo_open(e.loid, ${readMode}) AS fd OFFSET 0) o,
        LATERAL (SELECT pg_catalog.lo_lseek64(o.fd, 0, ${endOfObject}) AS size OFFSET 0) s
      WHERE s.size <= e.pageno * ${pageBytes}) last
      WHERE last.loid = e.loid AND last.pageno = e.pageno
      RETURNING pg_catalog.lo_truncate64(pg_catalog.lo_open(e.loid, ${writeMode}), e.pageno * ${pageBytes})`;

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

async function* counted(
  rows: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const bytes of rows) {
    onBytes(bytes.length);
    yield bytes;
  }
}
