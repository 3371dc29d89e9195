import type { Cuts } from '../../../chunker/index.ts';
import type { ChunkSink, Content } from '../../../store/index.ts';
import { rowsWriter } from '../../ingest/index.ts';
import { equalDigests, type RowDigest } from '../digest.ts';
import { type Column, type ColumnKind, selected } from './columns.ts';
import type { Connection } from './connection.ts';
import type { Guards } from './pin.ts';
import { digestFrom, digestSql, type RowHashing, RowSum } from './row-hash.ts';
import { type KeyValue, type RowKey, rangeSql } from './row-key.ts';
import { RowText } from './row-text.ts';
import { quoted } from './sql.ts';

/** Rows of a table from one key up to another, as they were stored. */
export interface StoredRange {
  /** Null: from the first row. */
  readonly from: KeyValue | null;
  readonly digest: RowDigest;
  readonly rows: Content;
}

/** A table as the pin has it. */
export interface PinnedTable {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly kinds: readonly ColumnKind[];
  /** Undefined: it is read whole. */
  readonly key: RowKey | undefined;
}

/** From one bound up to another; null: none. */
export interface Bounds {
  readonly from: KeyValue | null;
  readonly before: KeyValue | null;
}

/** A range ends after so many bytes of rows: what one changed row makes the next backup read again. */
export const rangeBytes = 512 * 1024;
/** Rows are handed on in pieces of about so many bytes. */
const pieceBytes = 64 * 1024;

/** What the server says of the rows between two bounds; undefined where it cannot hash all of them. */
export async function readDigest(
  connection: Connection,
  table: PinnedTable,
  { hashing, ...bounds }: Bounds & { readonly hashing: RowHashing },
): Promise<RowDigest | undefined> {
  const [row] = await connection.rows(
    `compare rows of ${table.name}`,
    `SELECT ${digestSql(table.columns, table.kinds, hashing)} ${fromSql(table, bounds)}`,
  );
  return row && digestFrom(row);
}

function fromSql({ name, key }: PinnedTable, { from, before }: Bounds): string {
  const table = `FROM ${quoted(name)}`;
  return key ? `${table} FORCE INDEX (PRIMARY) ${rangeSql(key, from, before)}` : table;
}

export interface ReadRangeJob extends Bounds {
  readonly sink: ChunkSink;
  readonly cuts: Cuts;
  readonly hashing: RowHashing;
  readonly rangeBytes?: number | undefined;
  readonly onRows: (rows: number, bytes: number) => void;
}

/** Reads and stores the rows between two bounds, as one range or more; the first begins where the bounds do. */
export async function readRanges(
  connection: Connection,
  table: PinnedTable,
  job: ReadRangeJob,
): Promise<StoredRange[]> {
  const { key, kinds } = table;
  const ranges: StoredRange[] = [];
  const keyColumns = key?.columns.map(one => table.columns.indexOf(one)) ?? [];
  const text = new RowText(kinds);
  let writer = rowsWriter(job.sink, job.cuts);
  let sum = new RowSum(kinds, job.hashing);
  let from = job.from;
  let bytes = 0;
  let pending = 0;
  const hand = async (): Promise<void> => {
    bytes += text.length;
    job.onRows(pending, text.length);
    pending = 0;
    await writer.write(text.take());
  };
  const end = async (): Promise<void> => {
    await hand();
    ranges.push({ from, digest: sum.result(), rows: await writer.finish() });
  };
  for await (const row of connection.stream(`read ${table.name}`, rowsSql(table, job))) {
    if (key && bytes + text.length >= (job.rangeBytes ?? rangeBytes)) {
      await end();
      [writer, sum, bytes] = [rowsWriter(job.sink, job.cuts), new RowSum(kinds, job.hashing), 0];
      from = keyColumns.map(i => Uint8Array.from(row[i]!));
    }
    text.add(row);
    sum.add(row);
    pending += 1;
    if (text.length >= pieceBytes) await hand();
  }
  await end();
  return ranges;
}

/** All that is stored of a table, in the order of its key, whose bytes dedup wherever rows were put in or taken out. */
export function rowsSql(table: PinnedTable, bounds: Bounds): string {
  const values = table.columns.map((column, i) => selected(column, table.kinds[i]!));
  const order = table.key?.columns.map(one => quoted(one.name)).join(', ');
  return `SELECT ${values.length === 0 ? '1' : values.join(', ')} ${fromSql(table, bounds)}${order ? ` ORDER BY ${order}` : ''}`;
}

/** Whether the server has the very rows that were stored. */
export function isUnchanged(
  { digest }: StoredRange,
  now: RowDigest | undefined,
  guards: Pick<Guards, 'countsOnly'> = {},
): boolean {
  if (now === undefined) return false;
  return guards.countsOnly ? digest.rows === now.rows : equalDigests(digest, now);
}
