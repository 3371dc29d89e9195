import type { Clock } from '../../../../store/index.ts';
import type { Connection } from '../connect/connection.ts';

const pollMs = 20;
/** The server's WAL writer needs some 600 ms at most; a server that needs longer than this is in trouble. */
const patienceMs = 10_000;

/**
 * Waits until the log up to an LSN is on the server's disk; false when it is not in 10 s. After a crash of a server with
 * synchronous_commit=off, transaction ids are used again: equal (ctid, xmin) named different rows when tried.
 */
export async function waitUntilFlushed(
  connection: Connection,
  lsn: string,
  options: { readonly clock: Clock; readonly signal?: AbortSignal | undefined },
): Promise<boolean> {
  const { clock, signal } = options;
  const startedMs = clock.monotonicMs();
  // At the end of a page the position of insertion is already behind the next page's header, which is not written yet:
  // 40 bytes at most, less than any record.
  const sql = `SELECT f.lsn >= '${lsn}' OR (pg_catalog.pg_wal_lsn_diff('${lsn}', f.lsn) <= 40
      AND pg_catalog.pg_wal_lsn_diff(f.lsn, '0/0') % pg_catalog.current_setting('wal_block_size')::numeric = 0) AS flushed
    FROM (SELECT pg_catalog.pg_current_wal_flush_lsn() AS lsn OFFSET 0) f`;
  for (let polls = 0; ; polls += 1) {
    const [row] = await connection.rows<{ flushed: boolean }>('read the position of the log', sql);
    if (row!.flushed) return true;
    if (clock.monotonicMs() - startedMs > patienceMs) return false;
    if (polls === 0) await flush(connection);
    else await clock.sleep(pollMs, signal);
  }
}

/**
 * What readers leave in the log (pruned pages) is written out only when a page is full or somebody commits. So commit
 * something: an empty message, which costs one transaction id. Where that is not permitted the polls go on.
 */
async function flush(connection: Connection): Promise<void> {
  try {
    await connection.script('flush the log', [
      'BEGIN READ WRITE',
      'SET LOCAL synchronous_commit = local', // no waiting for standbys
      "SELECT pg_catalog.pg_logical_emit_message(true, 'stillpoint', '')",
      'COMMIT',
    ]);
  } catch {
    if (!connection.isLost) await connection.script('flush the log', ['ROLLBACK']);
  }
}
