import type { AuditDifference, FinishOptions } from '../../database.ts';
import type { Connection } from '../connect/connection.ts';
import { allOrCut, InOrder } from '../connect/workers.ts';
import { SegmentMemory } from '../rows/segment-memory.ts';
import { advancePieces } from './advance-pieces.ts';
import type { KnownSegment } from './advance-segment.ts';
import type { SegmentRange } from './copy.ts';
import { type Question, readSignatures, type Signature } from './signature.ts';
import type { TableState, ViewedTable } from './table-state.ts';

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

/** Blocks that one message asks about: some 10 ms of the server's time. */
const blocksPerMessage = 2048;
/** Small tables go together: half the server's time, and a tenth of ours. More of them at once take off no more. */
const tablesPerMessage = 32;
/** All of one reader's tables may have to be read, while the other one has nothing to do. */
const blocksTogetherMax = 256;

/** What a reader takes at once. */
interface Task {
  readonly number: number;
  /** More than one: the server is asked about all of them first. */
  readonly parts: readonly Part[];
}

/** Some of a table. */
export interface Part {
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
    /** With the signature of the part's blocks, where there is a state that it can be compared with. */
    readonly work: (reader: Connection, part: Part, signature: Signature | undefined) => Promise<T>;
    readonly take: (part: Part, result: T) => void;
  },
): Promise<void> {
  const inOrder = new InOrder<readonly { readonly part: Part; readonly result: T }[]>(async results => {
    for (const { part, result } of results) step.take(part, result);
  });
  const tasks = tasksOf(tables);
  const work = async (reader: Connection): Promise<void> => {
    for (;;) {
      const { value: task, done } = await tasks.next();
      if (done) return;
      await inOrder.room(task.number);
      const signatures = await signaturesOf(reader, task.parts);
      const results: { part: Part; result: T }[] = [];
      for (const part of task.parts)
        results.push({ part, result: await step.work(reader, part, signatures.get(part)) });
      await inOrder.put(task.number, results);
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
    work: (reader, part, signature) => advancePieces(reader, { ...job, memory, onBytes, part, signature }),
    take: (part, results) => {
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
        if (rows > 0) job.onSegment(part.table, segment);
      }
      if (part.isLast) seen.tables += 1;
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

/** Neighbours that are asked about go together, up to a size; what is read unasked is a task of its own. */
async function* tasksOf(tables: readonly TableToAdvance[]): AsyncGenerator<Task, undefined> {
  let number = 0;
  let parts: Part[] = [];
  let blocks = 0;
  for await (const part of partsOf(tables)) {
    const asked = isAsked(part) ? blocksOf(part.pieces) : Number.POSITIVE_INFINITY;
    if (parts.length === tablesPerMessage || (parts.length > 0 && blocks + asked > blocksTogetherMax)) {
      yield { number: number++, parts };
      parts = [];
      blocks = 0;
    }
    parts.push(part);
    blocks += asked;
  }
  if (parts.length > 0) yield { number: number++, parts };
  return undefined;
}

async function* partsOf(tables: readonly TableToAdvance[]): AsyncGenerator<Part> {
  for (const { table, state } of tables) {
    let pieces: Piece[] = [];
    for await (const piece of piecesOf(table, state)) {
      const isApart =
        !piece.known || !pieces[0]?.known || blocksOf(pieces) + piece.range.blocks > blocksPerMessage;
      if (isApart && pieces.length > 0) {
        yield { table, state, pieces, isLast: false };
        pieces = [];
      }
      pieces.push(piece);
    }
    yield { table, state, pieces, isLast: true };
  }
}

const blocksOf = (pieces: readonly Piece[]): number =>
  pieces.reduce((sum, { range }) => sum + range.blocks, 0);

/** Rows without places have no signature by block. */
const isAsked = ({ table, state, pieces }: Part): boolean =>
  table.sql === undefined && state !== undefined && pieces[0]?.known !== undefined;

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

async function signaturesOf(
  reader: Connection,
  parts: readonly Part[],
): Promise<ReadonlyMap<Part, Signature>> {
  const asked = parts.filter(isAsked);
  const signatures = await readSignatures(reader, asked.map(questionOf));
  return new Map(asked.map((part, i) => [part, signatures[i]!]));
}

/** One question about all of the pieces, which are neighbours. */
function questionOf({ table, state, pieces }: Part): Question {
  const { first } = pieces[0]!.range;
  return { relation: table.relation, first, blocks: blocksOf(pieces), threshold: state!.threshold };
}
