import type { Cuts } from '../../../../chunker/index.ts';
import type { ChunkSink, Content } from '../../../../store/index.ts';
import { contentWriter, rowsWriter } from '../../../ingest/index.ts';
import type { RowDigest } from '../../digest.ts';
import type { Relation } from '../catalog/relations.ts';
import type { Connection } from '../connect/connection.ts';
import { actionOn, rowsSql } from '../connect/copy-relation.ts';
import { copyOut } from '../connect/copy-stream.ts';
import { type BlockList, CtidEncoder } from '../rows/ctids.ts';
import type { RowTakerOptions } from '../rows/row-taker.ts';
import { type SegmentMap, SegmentMapBuilder } from '../rows/segment-map.ts';

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
  /** Undefined where the rows have no places. */
  readonly map: SegmentMap | undefined;
}

const segmentBlocksMax = 1024;
/** A table below this is one segment, whatever it may become. */
const smallTableBytes = 8 * 1024 * 1024;

/** Blocks a segment: about 8 MiB with its TOAST, so that a table of large values has more segments. Sizes in bytes. */
export function segmentBlocks(size: { readonly heapBytes: number; readonly tableBytes: number }): number {
  const { heapBytes, tableBytes } = size;
  if (tableBytes <= smallTableBytes) return segmentBlocksMax;
  return Math.min(segmentBlocksMax, Math.max(1, Math.round((segmentBlocksMax * heapBytes) / tableBytes)));
}

export interface CopyTarget {
  readonly sink: ChunkSink;
  readonly cuts: Cuts;
  readonly digestKey: Uint8Array;
}

/** What reads rows of a relation, and where they go. */
export interface ReadRows {
  readonly relation: Relation;
  readonly encoding: string;
  readonly target: CopyTarget;
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** Reads one segment from the pinned view and stores it. After a failure the connection is of no use: it was cut. */
export async function copySegment(
  connection: Connection,
  task: ReadRows & {
    readonly range: SegmentRange;
    /** Instead of the relation's rows in the range: a statement whose rows carry no places. */
    readonly sql?: string | undefined;
  },
): Promise<CopiedSegment> {
  const { relation, range, encoding, target, sql } = task;
  const map = new SegmentMapBuilder(range);
  const stored = await storeRows(connection, {
    ...task,
    sql: sql ?? rowsSql(relation, { encoding, range }),
    blocks: range,
    onRow:
      sql === undefined
        ? (low, high, block, offset) => {
            map.place(block, offset);
            map.hash(low, high);
          }
        : undefined,
  });
  const ctids = await storeBytes(target, stored.places);
  return { ...range, ...stored, ctids, map: sql === undefined ? map.finish() : undefined };
}

/** Runs a COPY and stores its rows apart from their places, which it encodes. */
export async function storeRows(
  connection: Connection,
  task: ReadRows & {
    readonly sql: string;
    readonly blocks: BlockList;
    /** Told the rows in order. Undefined: they carry no places. */
    readonly onRow: RowTakerOptions['onRow'];
  },
): Promise<{ readonly rows: Content; readonly places: Uint8Array; readonly digest: RowDigest }> {
  const { target, onRow } = task;
  const encoder = new CtidEncoder(task.blocks);
  const writer = rowsWriter(target.sink, target.cuts);
  const digest = await copyOut(connection, {
    action: actionOn(task.relation),
    sql: task.sql,
    digestKey: target.digestKey,
    hasPlaces: onRow !== undefined,
    onRow:
      onRow &&
      ((low, high, block, offset) => {
        encoder.add(block, offset);
        onRow(low, high, block, offset);
      }),
    onRows: rows => {
      task.onBytes?.(rows.length);
      return writer.write(rows);
    },
  });
  return { rows: await writer.finish(), places: encoder.finish(), digest };
}

export async function storeBytes(target: CopyTarget, bytes: Uint8Array): Promise<Content> {
  const writer = contentWriter(target.sink, target.cuts);
  await writer.write(bytes);
  return writer.finish();
}
