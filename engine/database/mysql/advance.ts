import type { Cuts } from '../../../chunker/index.ts';
import type { ChunkSink } from '../../../store/index.ts';
import { engineError } from '../../errors.ts';
import { addDigests, emptyDigest, equalDigests, type RowDigest } from '../digest.ts';
import type { TableState } from './base.ts';
import type { Connection } from './connection.ts';
import type { RangeEntry } from './entry.ts';
import type { Guards } from './pin.ts';
import { assignPlaces } from './places.ts';
import { onEach } from './pool.ts';
import { type Bounds, isUnchanged, readDigest, readRanges, type StoredRange } from './ranges.ts';
import type { RowHashing } from './row-hash.ts';
import type { DefinedTable } from './tables.ts';

/** A table, and what is known of its rows; undefined: all of them are read. */
export interface TableTask {
  readonly table: DefinedTable;
  readonly state: TableState | undefined;
}

export interface AdvanceJob {
  readonly readers: readonly Connection[];
  readonly sink: ChunkSink;
  readonly cuts: Cuts;
  readonly hashing: RowHashing;
  readonly rangeBytes?: number | undefined;
  /** Whether a new snapshot may depend on what is stored of a range. */
  readonly mayKeep: (range: StoredRange) => Promise<boolean>;
  /** Around each reading of a table that no view holds; false: it is left out. */
  readonly live?:
    | ((reader: Connection, table: DefinedTable, read: () => Promise<void>) => Promise<boolean>)
    | undefined;
  readonly onRows: (rows: number, bytes: number) => void;
  readonly guards?: Guards | undefined;
  readonly onTable?: (() => void) | undefined;
}

/** What is stored of a table now. */
export interface AdvancedTable {
  readonly table: DefinedTable;
  readonly ranges: readonly RangeEntry[];
  /** Ranges that are not those of the state. */
  readonly changed: number;
}

/** So many ranges are compared in one go on one connection. */
const comparedPerTurn = 32;

/** Ranges next to each other that are read as one. */
interface Run extends Bounds {
  readonly task: Progress;
  /** Of the state; of the first and past the last. */
  readonly first: number;
  readonly past: number;
  /** What the server says it holds; undefined: not known. */
  readonly expected: RowDigest | undefined;
}

interface Progress extends TableTask {
  /** By range of the state: what the server has there; null: it is to be read whatever it has. */
  readonly now: (RowDigest | undefined | null)[];
  readonly isKept: boolean[];
  readonly read: Map<number, { readonly run: Run; readonly ranges: readonly StoredRange[] }>;
  isLeftOut: boolean;
}

/**
 * Brings tables up to the view of the readers: asks the server for the hash of every range that is known, and reads those
 * that differ. Cost: the server reads each table wholly once, and sends the rows of changed ranges alone.
 */
export async function advanceTables(job: AdvanceJob, tasks: readonly TableTask[]): Promise<AdvancedTable[]> {
  const all = tasks.map(
    one => ({ ...one, now: [], isKept: [], read: new Map(), isLeftOut: false }) as Progress,
  );
  await onEach(job.readers, turnsOf(all), (reader, turn) => compare(job, reader, turn));
  await onEach(job.readers, runsOf(all), (reader, run) => readRun(job, reader, run));
  return all.filter(one => !one.isLeftOut).map(assembled);
}

/** Ranges of the state whose content is another by now, without reading any; for an estimate. */
export async function changedRanges(
  job: Pick<AdvanceJob, 'readers' | 'hashing'>,
  tasks: readonly TableTask[],
): Promise<Map<string, StoredRange[]>> {
  const all = tasks.map(
    one => ({ ...one, now: [], isKept: [], read: new Map(), isLeftOut: false }) as Progress,
  );
  await onEach(job.readers, turnsOf(all), (reader, turn) =>
    compare({ ...job, mayKeep: async () => true }, reader, turn),
  );
  return new Map(
    all.map(
      ({ table, state, isKept }) => [table.name, state?.ranges.filter((_, i) => !isKept[i]) ?? []] as const,
    ),
  );
}

interface Turn {
  readonly task: Progress;
  readonly first: number;
  readonly past: number;
}

function* turnsOf(all: readonly Progress[]): Generator<Turn> {
  for (const task of all) {
    const count = task.state?.ranges.length ?? 0;
    for (let first = 0; first < count; first += comparedPerTurn)
      yield { task, first, past: Math.min(count, first + comparedPerTurn) };
  }
}

async function compare(
  { hashing, mayKeep, live, guards }: Pick<AdvanceJob, 'hashing' | 'mayKeep' | 'live' | 'guards'>,
  reader: Connection,
  { task, first, past }: Turn,
): Promise<void> {
  const { table, state } = task;
  const work = async (): Promise<void> => {
    for (let i = first; i < past; i += 1) {
      const range = state!.ranges[i]!;
      const now = await readDigest(reader, table, { hashing, ...boundsOf(task, i, i + 1) });
      task.now[i] = now;
      task.isKept[i] = isUnchanged(range, now, guards) && (await mayKeep(range));
    }
  };
  if (!live) await work();
  else if (!(await live(reader, table, work))) task.isLeftOut = true;
}

function boundsOf({ state }: Progress, first: number, past: number): Bounds {
  return { from: state!.ranges[first]!.from, before: state!.ranges[past]?.from ?? null };
}

function* runsOf(all: readonly Progress[]): Generator<Run> {
  for (const task of all) {
    const count = task.state?.ranges.length ?? 0;
    if (task.isLeftOut) continue;
    if (count === 0) yield { task, from: null, before: null, first: 0, past: 0, expected: undefined };
    for (let first = 0; first < count; ) {
      let past = first;
      while (past < count && !task.isKept[past]) past += 1;
      if (past > first) {
        const parts = task.now.slice(first, past);
        const expected = parts.every(one => one !== undefined && one !== null)
          ? (parts as RowDigest[]).reduce(addDigests, emptyDigest)
          : undefined;
        yield { task, first, past, ...boundsOf(task, first, past), expected };
      }
      first = past + 1;
    }
  }
}

async function readRun(job: AdvanceJob, reader: Connection, run: Run): Promise<void> {
  const { task, first } = run;
  const { table } = task;
  const work = async (): Promise<void> => {
    const ranges = await readRanges(reader, table, { ...job, ...run });
    if (!job.live) await checkRead({ job, reader, run, ranges });
    task.read.set(first, { run, ranges });
  };
  if (!job.live) await work();
  else if (!(await job.live(reader, table, work))) task.isLeftOut = true;
  job.onTable?.();
}

/** What came through is what the server has, by its own account: all of it where that is known, else the first range. */
async function checkRead(checked: {
  readonly job: AdvanceJob;
  readonly reader: Connection;
  readonly run: Run;
  readonly ranges: readonly StoredRange[];
}): Promise<void> {
  const { job, reader, run, ranges } = checked;
  const { table } = run.task;
  const got = (run.expected ? ranges : ranges.slice(0, 1))
    .map(one => one.digest)
    .reduce(addDigests, emptyDigest);
  const bounds = { from: run.from, before: ranges[1]?.from ?? run.before };
  const expected = run.expected ?? (await readDigest(reader, table, { hashing: job.hashing, ...bounds }));
  if (expected === undefined || equalDigests(expected, got)) return;
  throw engineError(
    'DATABASE_FAILED',
    `Cannot back up table ${table.name}: the server counts ${expected.rows} rows with hash ${expected.sum}, it sent ${got.rows} with ${got.sum}`,
    {
      remedy:
        'Run CHECK TABLE on it; if it finds nothing, this program reads one of its types wrongly: report that.',
    },
  );
}

/** Kept ranges and those that were read, in order, without empty ones. */
function assembled({ table, state, isKept, read }: Progress): AdvancedTable {
  const parts: { readonly range: StoredRange; readonly place: bigint | null }[] = [];
  const whole = read.get(0);
  if (!state || state.ranges.length === 0)
    for (const range of whole?.ranges ?? []) parts.push({ range, place: null });
  else
    for (let i = 0; i < state.ranges.length; ) {
      const own = state.ranges[i]!;
      const done = read.get(i);
      if (isKept[i] || !done) {
        parts.push({ range: own, place: own.place });
        i += 1;
        continue;
      }
      const isSameNumber = done.ranges.length === done.run.past - i;
      for (const [n, range] of done.ranges.entries())
        parts.push({ range, place: isSameNumber ? state.ranges[i + n]!.place : null });
      i = done.run.past;
    }
  const filled = parts.filter(({ range }) => range.digest.rows > 0);
  const kept = filled.length > 0 ? filled : parts.slice(0, 1);
  const places = assignPlaces(kept.map(one => one.place));
  const ranges = kept.map(({ range }, i) => ({
    ...{ table: table.name, digest: range.digest, rows: range.rows, place: places[i]! },
    from: i === 0 ? null : range.from,
  }));
  const keptCount = isKept.filter(Boolean).length;
  return { table, ranges, changed: Math.max(0, ranges.length - keptCount) };
}
