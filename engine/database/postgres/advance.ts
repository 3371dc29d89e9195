import type { AuditDifference, FinishOptions } from '../database.ts';
import { advancePieces } from './advance-pieces.ts';
import type { KnownSegment } from './advance-segment.ts';
import type { Connection } from './connection.ts';
import type { SegmentRange } from './copy.ts';
import { SegmentMemory } from './segment-memory.ts';
import type { TableState, ViewedTable } from './table-state.ts';
import { allOrCut, InOrder } from './workers.ts';

/** Tables as of a view, each with the state that it is advanced from; without one it is read as a whole. */
export interface TableToAdvance {
  readonly table: ViewedTable;
  readonly state: TableState | undefined;
}

export interface AdvanceJob extends FinishOptions {
  readonly encoding: string;
  /** They see the view. */
  readonly readers: readonly Connection[];
  /** Of the view: all transaction ids that it knows are below. */
  readonly xmax: bigint;
  /** Told every segment that has rows, table by table in the order given, by first block. */
  readonly onSegment: (table: ViewedTable, segment: KnownSegment) => void;
}

export interface Advanced {
  /** Of the segments that were read. */
  readonly rows: number;
  /** Rows' bytes that came from the server. */
  readonly bytes: number;
  /** Segments that were read. */
  readonly segments: number;
  /** Rows that an audit compared. */
  readonly audited: number;
  readonly differences: readonly AuditDifference[];
}

/** Blocks that one question is about: some 10 ms of the server's time. */
const blocksPerQuestion = 2048;

export interface Task {
  readonly number: number;
  readonly table: ViewedTable;
  readonly state: TableState | undefined;
  /** Neighbours; those without a state come one by one. */
  readonly pieces: readonly Piece[];
  readonly isLast: boolean;
}

/** A block range of a table, and the segment that is known of it. */
export interface Piece {
  readonly range: SegmentRange;
  readonly known: KnownSegment | undefined;
}

/**
 * Every reader takes the next few segments of the tables when it is done with some; what comes of them is handed on in
 * order. The first failure cuts all readers.
 */
export async function shareOut<T>(
  readers: readonly Connection[],
  tables: readonly TableToAdvance[],
  step: {
    readonly work: (reader: Connection, task: Task) => Promise<T>;
    readonly take: (task: Task, result: T) => void;
  },
): Promise<void> {
  const inOrder = new InOrder<{ task: Task; result: T }>(async ({ task, result }) => step.take(task, result));
  const tasks = tasksOf(tables);
  const work = async (reader: Connection): Promise<void> => {
    for (;;) {
      const { value: task, done } = await tasks.next();
      if (done) return;
      await inOrder.room(task.number);
      await inOrder.put(task.number, { task, result: await step.work(reader, task) });
    }
  };
  await allOrCut(readers, work, error => inOrder.fail(error));
}

/** Brings tables up to a view. */
export async function advanceTables(job: AdvanceJob, tables: readonly TableToAdvance[]): Promise<Advanced> {
  const memory = new SegmentMemory(job);
  const total = { segments: 0, bytes: 0, rows: 0, audited: 0, differences: [] as AuditDifference[] };
  const seen = { tables: 0, rows: 0, bytes: 0 };
  const bytesTotal = tables.reduce((sum, { table }) => sum + table.bytes, 0);
  const onBytes = (bytes: number): void => {
    total.bytes += bytes;
    seen.bytes += bytes;
  };
  await shareOut(job.readers, tables, {
    work: (reader, task) => advancePieces(reader, { ...job, memory, onBytes, task }),
    take: (task, results) => {
      for (const { segment, isUnchanged, audited = 0, difference } of results) {
        const { rows } = segment.segment.digest;
        total.audited += audited;
        if (difference) total.differences.push(difference);
        seen.rows += rows;
        if (isUnchanged) seen.bytes += segment.segment.rows.length;
        else {
          total.segments += 1;
          total.rows += rows;
        }
        if (rows > 0) job.onSegment(task.table, segment);
      }
      if (task.isLast) seen.tables += 1;
      job.onProgress?.({
        tablesDone: seen.tables,
        tablesTotal: tables.length,
        rows: seen.rows,
        bytes: seen.bytes,
        bytesTotal,
      });
    },
  });
  return total;
}

async function* tasksOf(tables: readonly TableToAdvance[]): AsyncGenerator<Task, undefined> {
  let number = 0;
  for (const { table, state } of tables) {
    const make = (pieces: Task['pieces'], isLast: boolean): Task => ({
      ...{ number: number++, table, state, pieces, isLast },
    });
    let pieces: Piece[] = [];
    for await (const piece of piecesOf(table, state)) {
      const gathered = pieces.reduce((sum, one) => sum + one.range.blocks, piece.range.blocks);
      const isApart = !piece.known || !pieces[0]?.known || gathered > blocksPerQuestion;
      if (isApart && pieces.length > 0) {
        yield make(pieces, false);
        pieces = [];
      }
      pieces.push(piece);
    }
    yield make(pieces, true);
  }
  return undefined;
}

async function* piecesOf(table: ViewedTable, state: TableState | undefined): AsyncGenerator<Piece> {
  const step = state?.segmentBlocks ?? table.segmentBlocks;
  const known = knownSegments(state);
  let next = await known.next();
  if (table.sql !== undefined) {
    yield { range: { first: 0, blocks: 0 }, known: next.done ? undefined : next.value };
    return;
  }
  for (let first = 0; first < table.heapBlocks; first += step) {
    while (!next.done && next.value.segment.first < first) next = await known.next();
    const found = !next.done && next.value.segment.first === first ? next.value : undefined;
    yield {
      range: { first, blocks: Math.min(step, table.heapBlocks - first) },
      known: found && found.segment.blocks <= step ? found : undefined,
    };
  }
}

async function* knownSegments(state: TableState | undefined): AsyncGenerator<KnownSegment, undefined> {
  if (state) yield* state.segments();
  return undefined;
}
