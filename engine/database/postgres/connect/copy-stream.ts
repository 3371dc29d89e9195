import { pipeline } from 'node:stream/promises';
import { engineError } from '../../../errors.ts';
import type { RowDigest } from '../../digest.ts';
import { type RowTaker, type RowTakerOptions, rowTaker } from '../rows/row-taker.ts';
import type { Connection } from './connection.ts';
import { CopyQuery } from './copy-query.ts';
import { databaseError } from './failure.ts';

export interface CopyOutJob extends Omit<RowTakerOptions, 'key'> {
  /** Names the work in errors: "Cannot <action>: …". */
  readonly action: string;
  /** COPY … TO STDOUT. */
  readonly sql: string;
  readonly digestKey: Uint8Array;
  /** Row bytes without places, split anywhere; valid until what it returns has resolved. */
  readonly onRows?: (rows: Uint8Array) => Promise<void> | undefined;
}

/** Messages that may come between rows and mean nothing to us: CopyOutResponse, ParameterStatus, notices, notifications. */
const isSkipped = (code: number): boolean => [0x48, 0x53, 0x4e, 0x41].includes(code);
const headBytes = 5;

/**
 * Runs a COPY to its clean end and adds up its rows. Breaking one off leaves the connection waiting for good, so any
 * failure, ours or the server's, cuts it.
 */
export async function copyOut(connection: Connection, job: CopyOutJob): Promise<RowDigest> {
  const { action } = job;
  if (connection.isLost) throw connection.lostError(action);
  const taker = rowTaker({ ...job, key: job.digestKey });
  try {
    const query = connection.client.query(new CopyQuery(job.sql));
    await takeMessages(query, { taker, onRows: job.onRows });
    const expected = await query.rows();
    const { result, isBetweenRows } = taker;
    if (!isBetweenRows || result.rows !== expected)
      throw engineError('DATABASE_FAILED', `Cannot ${action}: ${result.rows} of ${expected} rows came`);
    taker.release();
    return result;
  } catch (error) {
    connection.destroy();
    throw databaseError(action, error);
  }
}

/** Up to the first message that is the client's. */
async function takeMessages(
  query: CopyQuery,
  { taker, onRows }: { readonly taker: RowTaker; readonly onRows: CopyOutJob['onRows'] },
): Promise<void> {
  let bytes = await query.next();
  for (;;) {
    const taking = taker.messages(bytes);
    let step = taking.next();
    for (; !step.done; step = taking.next()) {
      const taken = onRows?.(step.value);
      if (taken) await taken;
    }
    bytes = bytes.subarray(bytes.length - step.value);
    if (bytes.length === 0) {
      bytes = await query.next();
      continue;
    }
    if (!isSkipped(bytes[0]!)) return query.giveBack(bytes);
    while (bytes.length < headBytes || bytes.length < 1 + bytes.readUInt32BE(1)) {
      const before = Buffer.from(bytes); // good until the next ones are asked for
      bytes = Buffer.concat([before, await query.next()]);
    }
    bytes = bytes.subarray(1 + bytes.readUInt32BE(1));
  }
}

/**
 * Runs a COPY … FROM STDIN. Nobody may write into the rows' buffers later: the socket may hold them for longer than it
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
