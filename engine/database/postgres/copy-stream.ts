import { pipeline } from 'node:stream/promises';
import { engineError } from '../../errors.ts';
import type { Connection } from './connection.ts';
import type { DigestSum } from './digest.ts';
import { databaseError } from './failure.ts';
import type { RowSplitter } from './rows.ts';

const outputBytes = 256 * 1024;

export interface CopyOutJob {
  /** Names the work in errors: "Cannot <action>: …". */
  readonly action: string;
  /** COPY … TO STDOUT. */
  readonly sql: string;
  readonly splitter: RowSplitter;
  /** The splitter's. */
  readonly digest: DigestSum;
  /** Row bytes without places, split anywhere; valid until it resolves. */
  readonly onRows: (rows: Uint8Array) => Promise<void>;
}

/**
 * Runs a COPY to its clean end. Breaking one off leaves the connection waiting for good, so any failure, ours or the
 * server's, cuts it.
 */
export async function copyOut(connection: Connection, job: CopyOutJob): Promise<void> {
  const { action, splitter } = job;
  if (connection.isLost) throw connection.lostError(action);
  const { to } = (await import('pg-copy-streams')).default;
  const stream = connection.client.query(to(job.sql));
  let output = new Uint8Array(outputBytes);
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      if (chunk.length > output.length) output = new Uint8Array(chunk.length);
      const written = splitter.split(chunk, output);
      if (written > 0) await job.onRows(output.subarray(0, written));
    }
    // The stream ends at CopyDone; what the server says after it counts too, and comes before any other answer.
    await connection.script(action, ['SELECT 1']);
  } catch (error) {
    connection.destroy();
    throw databaseError(action, error);
  }
  const { rows } = job.digest.result();
  if (!splitter.isBetweenRows || rows !== stream.rowCount) {
    connection.destroy();
    throw engineError('DATABASE_FAILED', `Cannot ${action}: ${rows} of ${stream.rowCount} rows came`);
  }
}

/**
 * Runs a COPY … FROM STDIN. The rows' buffers must be the receiver's own: the socket may hold them for longer than it
 * says. A failure of the rows' source ends the COPY without a row.
 */
export async function copyInto(
  connection: Connection,
  job: { readonly action: string; readonly sql: string; readonly rows: AsyncIterable<Uint8Array> },
): Promise<void> {
  if (connection.isLost) throw connection.lostError(job.action);
  const { from } = (await import('pg-copy-streams')).default;
  const stream = connection.client.query(from(job.sql));
  try {
    await pipeline(job.rows, stream);
  } catch (error) {
    throw databaseError(job.action, error);
  }
}
