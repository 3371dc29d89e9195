import type { Connection } from '../connect/connection.ts';
import { endOfObject, pageBytes, readMode } from '../sql/large-object-pages.ts';
import { literal } from '../sql/quoting.ts';
import type { Relation } from './relations.ts';

const objectsPerStatement = 5000;

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
