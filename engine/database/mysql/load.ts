import { type ChunkSource, type ListingRoot, readListing } from '../../../store/index.ts';
import { engineError } from '../../errors.ts';
import { readContent } from '../../ingest/index.ts';
import { namingAll } from '../../naming.ts';
import { damaged } from '../fields.ts';
import type { Connection } from './connection.ts';
import { decodeRange, type TableEntry } from './entry.ts';
import { keyPrefix } from './entry-parts.ts';
import { asTuples } from './row-text.ts';
import { quoted } from './sql.ts';

export interface LoadTask {
  readonly table: TableEntry;
  readonly source: ChunkSource;
  readonly root: ListingRoot;
  /** A statement has about so many bytes; a row that is longer has one of its own. */
  readonly statementBytes: number;
  /** What the server takes at most, in one go. */
  readonly packetBytes: number;
  readonly onBytes: (bytes: number) => void;
}

const newline = 10;
/** Bytes of one transaction: the server keeps what is needed to undo it. */
const transactionBytes = 32 * 1024 * 1024;

/** Loads one table's rows, in the order of its key. */
export async function loadTable(connection: Connection, task: LoadTask): Promise<void> {
  const { table } = task;
  const action = `load table ${table.name}`;
  const into = Buffer.from(
    `INSERT INTO ${quoted(table.name)} (${table.columns.map(quoted).join(', ')}) VALUES `,
  );
  let open = 0;
  for await (const rows of batches(storedRows(task), task.statementBytes)) {
    if (open === 0) await connection.run(action, ['START TRANSACTION']);
    task.onBytes(rows.length);
    open += rows.length;
    const statement = Buffer.concat([into, asTuples(rows)]);
    if (statement.length >= task.packetBytes)
      throw tooLong(table.name, { bytes: statement.length, most: task.packetBytes });
    await connection.run(action, [statement]);
    if (open < transactionBytes) continue;
    await connection.run(action, ['COMMIT']);
    open = 0;
  }
  if (open > 0) await connection.run(action, ['COMMIT']);
}

/** Told before it is sent: the server would hang up. */
function tooLong(table: string, { bytes, most }: { readonly bytes: number; readonly most: number }): Error {
  return engineError(
    'TARGET_FAILED',
    `Cannot load table ${table}: a row has ${bytes} bytes, the server takes ${most} at most`,
    {
      remedy: `Raise max_allowed_packet of the server: SET GLOBAL max_allowed_packet = ${packetFor(bytes)}.`,
    },
  );
}

/** The server's own are multiples of 1024. */
const packetFor = (bytes: number): number => Math.min(2 ** 30, 1024 * Math.ceil((bytes + 1024) / 1024));

/** What is stored of a table's rows, range by range. Each part is valid until the next pull. */
export async function* storedRows(
  task: Pick<LoadTask, 'source' | 'root'> & { readonly table: Pick<TableEntry, 'name'> },
): AsyncGenerator<Uint8Array> {
  const { source, root, table } = task;
  for await (const entry of readListing(source, root, { prefix: keyPrefix('range', table.name) })) {
    const { rows } = decodeRange(entry);
    for await (const part of namingAll(`table ${table.name}`, readContent(source, rows))) {
      if (part.kind !== 'bytes') throw damaged(`table ${table.name}`, 'its rows have a hole');
      yield part.bytes;
    }
  }
}

/** Whole rows, each ended by a newline, in the receiver's own memory. */
export async function* batches(parts: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Buffer> {
  let held: Uint8Array[] = [];
  let length = 0;
  for await (const part of parts) {
    const end = part.lastIndexOf(newline) + 1;
    held.push(Uint8Array.from(part.subarray(0, end)));
    length += end;
    if (end > 0 && length >= bytes) {
      yield Buffer.concat(held);
      [held, length] = [[], 0];
    }
    held.push(Uint8Array.from(part.subarray(end)));
    length += part.length - end;
  }
  if (length > 0) yield Buffer.concat(held);
}
