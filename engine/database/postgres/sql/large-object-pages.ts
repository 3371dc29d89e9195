/** A page of a large object: a quarter of a heap block. */
export const pageBytes = 2048;
export const readMode = 0x40000;
const writeMode = 0x20000;
export const endOfObject = 2;

export const pagesTable = 'pg_temp.stillpoint_page';
export const emptyTable = 'pg_temp.stillpoint_empty_page';
/** Which pages there are, for a role that may not look. */
export const seenTable = 'pg_temp.stillpoint_seen_page';

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
