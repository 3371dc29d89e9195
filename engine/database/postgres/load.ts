import {
  type ChunkSource,
  type ListingRoot,
  readListing,
  StillpointError,
  storeError,
} from '../../../store/index.ts';
import { namingAll } from '../../naming.ts';
import type { Connection } from './connection.ts';
import { copyInto } from './copy-stream.ts';
import { decodeEntry } from './entry.ts';
import { keyPrefix } from './entry-parts.ts';
import { segmentRows } from './reconstruct.ts';
import type { RelationEntry } from './relation-entry.ts';
import { identifier, literal, qualified } from './sql.ts';

export interface LoadTask {
  readonly relation: RelationEntry;
  readonly source: ChunkSource;
  readonly root: ListingRoot;
  readonly encoding: string;
  readonly onBytes: (bytes: number) => void;
}

/** The server cannot freeze these rows; it says so before it takes any. */
const freezeRefused = new Set(['0A000', '55000']);

/** Loads one table's rows in one transaction, from its first block to its last. */
export async function loadTable(connection: Connection, task: LoadTask): Promise<void> {
  const { relation } = task;
  const action = `load ${relation.schema}.${relation.name}`;
  // An extension's table has rows of the extension's own; a parent cannot be truncated alone. Both are as made anyway.
  const freezes = relation.condition === null && relation.loadThrough === null;
  if (freezes) {
    await connection.script(action, ['BEGIN', `TRUNCATE ONLY ${qualified(relation)}`]);
    try {
      await copyIn(connection, { ...task, action, freeze: true });
      await connection.script(action, ['COMMIT']);
      return;
    } catch (error) {
      const state = error instanceof StillpointError ? error.context['sqlState'] : undefined;
      if (connection.isLost || !freezeRefused.has(String(state))) throw error;
      await connection.script(action, ['ROLLBACK']);
    }
  }
  await copyIn(connection, { ...task, action, freeze: false });
}

async function copyIn(
  connection: Connection,
  job: LoadTask & { readonly action: string; readonly freeze: boolean },
): Promise<void> {
  const { relation } = job;
  const columns = relation.columns.map(identifier).join(', ');
  await copyInto(connection, {
    action: job.action,
    sql: `COPY ${qualified(relation.loadThrough ?? relation)}${columns === '' ? '' : ` (${columns})`} FROM STDIN
      (FORMAT text, ENCODING ${literal(job.encoding)}${job.freeze ? ', FREEZE' : ''})`,
    rows: rowsOf(job),
  });
}

/** Reads the next while the server takes this one. */
async function* oneAhead<T>(values: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = values.next();
  try {
    for (;;) {
      const { done, value } = await next;
      if (done) return;
      next = values.next();
      next.catch(() => undefined); // whoever stops here never awaits it
      yield value;
    }
  } finally {
    await values.return(undefined);
  }
}

/** The rows of a table as COPY text, segment by segment. Nobody writes into a buffer later. */
async function* rowsOf(task: LoadTask): AsyncGenerator<Uint8Array> {
  const { source, root, relation } = task;
  for await (const entry of readListing(source, root, { prefix: keyPrefix('segment', relation) })) {
    const segment = decodeEntry(entry);
    if (segment.entry !== 'segment')
      throw storeError('STORE_DAMAGED', 'Cannot read rows: no segment under its key');
    const what = `table ${relation.schema}.${relation.name}`;
    for await (const bytes of oneAhead(namingAll(what, segmentRows(source, segment)))) {
      task.onBytes(bytes.length);
      yield bytes;
    }
  }
}
