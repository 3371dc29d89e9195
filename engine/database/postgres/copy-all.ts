import type { Entry } from '../../../store/index.ts';
import type { FinishOptions } from '../database.ts';
import type { Connection } from './connection.ts';
import { type CopiedSegment, copySegment, rowsSql, type SegmentRange, segmentBlocks } from './copy.ts';
import { addDigests, emptyDigest, type RowDigest } from './digest.ts';
import { callsSql, largeObjectCalls } from './large-objects.ts';
import { encodeSegment } from './segment-entry.ts';
import type { Relation } from './tables.ts';
import { allOrCut, InOrder } from './workers.ts';

/** A relation with what is known of its file. */
export interface Sized {
  /** Instead of its blocks. */
  readonly sql?: string;
  readonly relation: Relation;
  readonly heapBlocks: number;
  readonly segmentBlocks: number;
  readonly bytes: number;
}

interface Task {
  readonly sized: Sized;
  readonly range: SegmentRange;
}

/** A heap that is read cannot shrink while it is locked; what was added since the pin is invisible to it. */
export async function readSizes(
  connection: Connection,
  relations: readonly Relation[],
  encoding: string,
): Promise<Sized[]> {
  const withRows = relations.filter(one => one.kind === 'table' || one.kind === 'large-objects');
  const rows = await connection.rows<{ oid: number; heap: string; whole: string }>(
    'read the sizes of tables',
    `SELECT o.oid, pg_catalog.pg_relation_size(o.oid)::text AS heap, pg_catalog.pg_table_size(o.oid)::text AS whole
     FROM pg_catalog.unnest('{${withRows.map(one => one.oid).join(',')}}'::oid[]) o (oid)`,
  );
  const sizes = new Map(rows.map(row => [row.oid, row]));
  return withRows.map(relation => {
    if (!relation.isHeap) {
      const sql = relation === largeObjectCalls ? callsSql(encoding) : rowsSql(relation, { encoding });
      return { relation, heapBlocks: 0, segmentBlocks: 0, bytes: 0, sql };
    }
    const size = sizes.get(relation.oid);
    const heapBytes = Number(size?.heap ?? 0);
    const tableBytes = Number(size?.whole ?? 0);
    return {
      relation,
      heapBlocks: Math.ceil(heapBytes / 8192),
      segmentBlocks: segmentBlocks({ heapBytes, tableBytes }),
      bytes: tableBytes,
    };
  });
}

function* tasksOf(sizes: readonly Sized[]): Generator<Task> {
  for (const sized of sizes) {
    if (sized.sql !== undefined) yield { sized, range: { first: 0, blocks: 0 } };
    for (let first = 0; first < sized.heapBlocks; first += sized.segmentBlocks)
      yield { sized, range: { first, blocks: Math.min(sized.segmentBlocks, sized.heapBlocks - first) } };
  }
}

/** What was read, in all. Digests by the relation's oid. */
export interface Copied {
  readonly digests: ReadonlyMap<number, RowDigest>;
  readonly segments: number;
  readonly bytes: number;
}

export interface CopyAllJob extends FinishOptions {
  readonly encoding: string;
  readonly readers: readonly Connection[];
}

/** Every reader takes the next segment when it is done with one; entries come out in key order. */
export async function copyAll(
  job: CopyAllJob,
  sizes: readonly Sized[],
  add: (entry: Entry) => Promise<void>,
): Promise<Copied> {
  const digests = new Map<number, RowDigest>();
  const total = { segments: 0, bytes: 0, rows: 0, done: 0 };
  const bytesTotal = sizes.reduce((sum, one) => sum + one.bytes, 0);
  const inOrder = new InOrder<{ task: Task; segment: CopiedSegment }>(async ({ task, segment }) => {
    const { relation, heapBlocks } = task.sized;
    digests.set(relation.oid, addDigests(digests.get(relation.oid) ?? emptyDigest, segment.digest));
    total.segments += 1;
    total.rows += segment.digest.rows;
    if (segment.first + segment.blocks === heapBlocks) total.done += 1;
    await add(encodeSegment({ ...relation, ...segment, deltas: [] }));
  });
  const report = (): void =>
    job.onProgress?.({
      tablesDone: total.done,
      tablesTotal: sizes.length,
      rows: total.rows,
      bytes: total.bytes,
      bytesTotal,
    });
  const tasks = tasksOf(sizes);
  let number = 0;
  const work = async (reader: Connection): Promise<void> => {
    for (const task of tasks) {
      const mine = number++;
      await inOrder.room(mine);
      const segment = await copySegment(reader, {
        relation: task.sized.relation,
        range: task.range,
        encoding: job.encoding,
        target: job,
        sql: task.sized.sql,
        onBytes: bytes => {
          total.bytes += bytes;
        },
      });
      await inOrder.put(mine, { task, segment });
      report();
    }
  };
  await allOrCut(job.readers, work, error => inOrder.fail(error));
  return { digests, segments: total.segments, bytes: total.bytes };
}
