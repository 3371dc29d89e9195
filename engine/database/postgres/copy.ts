import type { Cuts } from '../../../chunker/index.ts';
import type { ChunkSink, Content } from '../../../store/index.ts';
import { engineError } from '../../errors.ts';
import { contentWriter, rowsWriter } from '../pending.ts';
import type { Connection } from './connection.ts';
import { CtidEncoder } from './ctids.ts';
import { DigestSum, type RowDigest } from './digest.ts';
import { databaseError } from './failure.ts';
import { RowSplitter } from './rows.ts';
import { identifier, literal, qualified } from './sql.ts';
import type { Relation } from './tables.ts';

/** A table's block range, as it is read: the unit of change detection. */
export interface SegmentRange {
  readonly first: number;
  readonly blocks: number;
}

/** A segment that was read and stored. */
export interface CopiedSegment extends SegmentRange {
  readonly digest: RowDigest;
  readonly rows: Content;
  readonly ctids: Content;
}

const segmentBlocksMax = 1024;
const outputBytes = 256 * 1024;

/** Blocks a segment: about 8 MiB with its TOAST, so that a table of large values has more segments. Sizes in bytes. */
export function segmentBlocks(size: { readonly heapBytes: number; readonly tableBytes: number }): number {
  const { heapBytes, tableBytes } = size;
  if (tableBytes <= 0) return segmentBlocksMax;
  return Math.min(segmentBlocksMax, Math.max(1, Math.round((segmentBlocksMax * heapBytes) / tableBytes)));
}

/** The rows of a relation as one statement; with a range: only those, each with its ctid in front. */
export function rowsSql(
  relation: Pick<Relation, 'schema' | 'name' | 'columns' | 'condition'>,
  options: { readonly encoding: string; readonly range?: SegmentRange },
): string {
  const { range } = options;
  const columns = [...(range ? ['t.ctid'] : []), ...relation.columns.map(name => `t.${identifier(name)}`)];
  // The extension wrote its condition against the bare table.
  const from = relation.condition
    ? `(SELECT ctid, * FROM ONLY ${qualified(relation)} ${relation.condition}) t`
    : `ONLY ${qualified(relation)} t`;
  const where = range
    ? ` WHERE t.ctid >= '(${range.first},0)'::pg_catalog.tid AND t.ctid < '(${range.first + range.blocks},0)'::pg_catalog.tid`
    : '';
  return `COPY (SELECT ${columns.join(', ')} FROM ${from}${where}) TO STDOUT (FORMAT text, ENCODING ${literal(options.encoding)})`;
}

export interface CopyTarget {
  readonly sink: ChunkSink;
  readonly cuts: Cuts;
  readonly digestKey: Uint8Array;
}

/** Reads one segment from the pinned view and stores it. After a failure the connection is of no use: it was cut. */
export async function copySegment(
  connection: Connection,
  task: {
    readonly relation: Relation;
    readonly range: SegmentRange;
    readonly encoding: string;
    readonly target: CopyTarget;
    readonly onBytes?: (bytes: number) => void;
  },
): Promise<CopiedSegment> {
  const { relation, range, encoding, target } = task;
  const places = new CtidEncoder(range);
  const digest = new DigestSum(target.digestKey);
  const writer = rowsWriter(target.sink, target.cuts);
  await readRows(connection, {
    name: `${relation.schema}.${relation.name}`,
    sql: rowsSql(relation, { encoding, range }),
    splitter: new RowSplitter({ digest, onPlace: (block, offset) => places.add(block, offset) }),
    digest,
    onRows: async rows => {
      await writer.write(rows);
      task.onBytes?.(rows.length);
    },
  });
  const rows = await writer.finish();
  const ctidsWriter = contentWriter(target.sink, target.cuts);
  await ctidsWriter.write(places.finish());
  return { ...range, digest: digest.result(), rows, ctids: await ctidsWriter.finish() };
}

/** The digest of a whole relation, as the server has it now. */
export async function readDigest(
  connection: Connection,
  relation: Pick<Relation, 'schema' | 'name' | 'columns' | 'condition'>,
  options: { readonly encoding: string; readonly digestKey: Uint8Array },
): Promise<RowDigest> {
  const digest = new DigestSum(options.digestKey);
  await readRows(connection, {
    name: `${relation.schema}.${relation.name}`,
    sql: rowsSql(relation, options),
    splitter: new RowSplitter({ digest }),
    digest,
    onRows: async () => {},
  });
  return digest.result();
}

/**
 * Runs a COPY … TO STDOUT to its clean end. Breaking one off leaves the connection waiting for good, so any failure, ours
 * or the server's, cuts it.
 */
async function readRows(
  connection: Connection,
  job: {
    readonly name: string;
    readonly sql: string;
    readonly splitter: RowSplitter;
    readonly digest: DigestSum;
    readonly onRows: (rows: Uint8Array) => Promise<void>;
  },
): Promise<void> {
  const action = `read ${job.name}`;
  if (connection.isLost) throw connection.lostError(action);
  const { to } = (await import('pg-copy-streams')).default;
  const stream = connection.client.query(to(job.sql));
  let output = new Uint8Array(outputBytes);
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      if (chunk.length > output.length) output = new Uint8Array(chunk.length);
      const written = job.splitter.split(chunk, output);
      if (written > 0) await job.onRows(output.subarray(0, written));
    }
    // The stream ends at CopyDone; what the server says after it counts too, and comes before any other answer.
    await connection.script(action, ['SELECT 1']);
  } catch (error) {
    connection.destroy();
    throw error instanceof RangeError ? error : databaseError(action, error);
  }
  const { rows } = job.digest.result();
  if (!job.splitter.isBetweenRows || rows !== stream.rowCount) {
    connection.destroy();
    throw engineError('DATABASE_FAILED', `Cannot ${action}: ${rows} of ${stream.rowCount} rows came`);
  }
}
