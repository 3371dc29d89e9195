import type { AuditDifference } from '../../database.ts';
import { equalDigests } from '../../digest.ts';
import type { Connection } from '../connect/connection.ts';
import type { SegmentMemory } from '../rows/segment-memory.ts';
import type { AdvanceJob, Part } from './advance.ts';
import { advanceSegment, copyAgain, type KnownSegment } from './advance-segment.ts';
import { auditSegment, differenceOf } from './audit.ts';
import type { ReadRows, SegmentRange } from './copy.ts';
import type { Signature } from './signature.ts';
import type { ViewedTable } from './table-state.ts';

/** What became of a piece. */
export interface Result {
  readonly segment: KnownSegment;
  readonly isUnchanged: boolean;
  /** Rows that were compared. */
  readonly audited?: number;
  readonly difference?: AuditDifference | undefined;
}

/** Brings neighbouring pieces of a table up to the view. */
export async function advancePieces(
  reader: Connection,
  job: AdvanceJob & {
    readonly memory: SegmentMemory;
    readonly part: Part;
    readonly signature: Signature | undefined;
    readonly onBytes: (bytes: number) => void;
  },
): Promise<Result[]> {
  const { part, memory, xmax, signature } = job;
  const { table, state, pieces } = part;
  const read = {
    relation: table.relation,
    encoding: job.encoding,
    target: job,
    onBytes: job.onBytes,
    memory,
  };
  const results: Result[] = [];
  if (table.signatureSql !== undefined) return [await advanceWhole(reader, { ...job, ...read })];
  if (!state || !signature) {
    for (const { range } of pieces)
      results.push({
        segment: await copyAgain(reader, { ...read, range, sql: table.sql }),
        isUnchanged: false,
      });
    return results;
  }
  const { threshold } = state;
  for (const { range, known } of pieces) {
    const isUsable = known && (await state.isDependable(known));
    const segment = isUsable
      ? await advanceSegment(reader, {
          ...read,
          ...{ source: job.source, xmax, threshold, state: known, range, signature },
        })
      : await copyAgain(reader, { ...read, range });
    const isBuiltUpon = segment.entry === known?.entry || segment.segment.deltas.length > 0;
    if (job.audits && isBuiltUpon)
      results.push(await auditedResult(reader, { ...read, known, segment, range }));
    else results.push({ segment, isUnchanged: segment.entry === known?.entry });
  }
  return results;
}

/** Where the rows are not what the store has of them, those of the server are what is stored. */
async function auditedResult(
  reader: Connection,
  task: ReadRows & {
    readonly memory: SegmentMemory;
    readonly known: KnownSegment | undefined;
    readonly segment: KnownSegment;
    readonly range: SegmentRange;
  },
): Promise<Result> {
  const { segment, known } = task;
  const difference = await auditSegment(reader, task);
  const audited = segment.segment.digest.rows;
  if (!difference) return { segment, isUnchanged: segment.entry === known?.entry, audited };
  return { segment: await copyAgain(reader, task), isUnchanged: false, audited, difference };
}

/** Rows without places: all of them, unless the server says that they are what they were. */
async function advanceWhole(
  reader: Connection,
  job: ReadRows & {
    readonly memory: SegmentMemory;
    readonly part: Part;
    readonly audits?: boolean | undefined;
  },
): Promise<Result> {
  const { memory, part } = job;
  const { table, state } = part;
  const { range, known } = part.pieces[0]!;
  const signature = memory.isKept ? await wholeSignature(reader, table) : undefined;
  const isKnown =
    signature &&
    state &&
    known &&
    (await memory.signature(known)) === signature &&
    (await state.isDependable(known));
  if (isKnown && !job.audits) return { segment: known, isUnchanged: true };
  const segment = await copyAgain(reader, { ...job, range, sql: table.sql });
  if (signature) memory.rememberSignature(segment.entry, signature);
  if (!isKnown) return { segment, isUnchanged: false };
  const { digest } = segment.segment;
  if (equalDigests(known.segment.digest, digest))
    return { segment: known, isUnchanged: true, audited: digest.rows };
  const difference = differenceOf(table.relation, { rows: digest.rows, places: [] });
  return { segment, isUnchanged: false, audited: digest.rows, difference };
}

export async function wholeSignature(reader: Connection, table: ViewedTable): Promise<string> {
  const action = `look for changes in ${table.relation.schema}.${table.relation.name}`;
  const [row] = await reader.rows<{ signature: string }>(action, table.signatureSql!);
  return row!.signature;
}
