import type { Cuts } from '../../../chunker/index.ts';
import type { ChunkSink, Content } from '../../../store/index.ts';
import { contentWriter, rowsWriter } from '../../ingest/index.ts';
import type { Connection } from './connection.ts';
import { copyOut } from './copy-stream.ts';
import { CtidEncoder } from './ctids.ts';
import { DigestSum, type RowDigest } from './digest.ts';
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
    /** Instead of the relation's rows in the range: a statement whose rows carry no places. */
    readonly sql?: string | undefined;
    readonly onBytes?: (bytes: number) => void;
  },
): Promise<CopiedSegment> {
  const { relation, range, encoding, target } = task;
  const places = new CtidEncoder(range);
  const digest = new DigestSum(target.digestKey);
  const writer = rowsWriter(target.sink, target.cuts);
  await copyOut(connection, {
    action: actionOn(relation),
    sql: task.sql ?? rowsSql(relation, { encoding, range }),
    splitter: new RowSplitter({
      digest,
      onPlace: task.sql === undefined ? (block, offset) => places.add(block, offset) : undefined,
    }),
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
  options: { readonly encoding: string; readonly digestKey: Uint8Array; readonly sql?: string | undefined },
): Promise<RowDigest> {
  const digest = new DigestSum(options.digestKey);
  await copyOut(connection, {
    action: actionOn(relation),
    sql: options.sql ?? rowsSql(relation, options),
    splitter: new RowSplitter({ digest }),
    digest,
    onRows: async () => {},
  });
  return digest.result();
}

function actionOn(relation: Pick<Relation, 'schema' | 'name'>): string {
  return `read ${relation.schema}.${relation.name}`;
}
