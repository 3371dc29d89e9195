import { type ChunkSource, type ListingRoot, StillpointError } from '../../../../store/index.ts';
import type { Connection } from '../connect/connection.ts';
import { copyInto } from '../connect/copy-stream.ts';
import type { RelationEntry } from '../entries/relation-entry.ts';
import { tableRows } from '../rows/table-rows.ts';
import { qualified } from '../sql/quoting.ts';
import { copyFromSql } from '../sql/restore-steps.ts';

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

/** The same in a transaction that is open, and in which the table was made. */
export function loadInTransaction(connection: Connection, task: LoadTask): Promise<void> {
  const { schema, name } = task.relation;
  return copyIn(connection, { ...task, action: `load ${schema}.${name}`, freeze: false });
}

async function copyIn(
  connection: Connection,
  job: LoadTask & { readonly action: string; readonly freeze: boolean },
): Promise<void> {
  const { relation } = job;
  await copyInto(connection, {
    action: job.action,
    sql: copyFromSql(relation, job),
    rows: counted(oneAhead(tableRows(job.source, { root: job.root, relation })), job.onBytes),
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

export async function* counted(
  rows: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const bytes of rows) {
    onBytes(bytes.length);
    yield bytes;
  }
}
