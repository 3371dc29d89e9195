import type { ChunkSource, Content, StillpointError } from '../../../store/index.ts';
import { contentBytes } from '../../ingest/index.ts';
import { naming } from '../../naming.ts';
import type { Connection } from './connection.ts';
import type { ObjectEntry } from './entry.ts';
import { serverErrorOf } from './failure.ts';
import { type ObjectClass, objectClasses, sessionSql } from './objects.ts';

/** What a definition may have at most. */
const definitionBytesMax = 64 * 1024 * 1024;

export async function readSql(source: ChunkSource, what: string, content: Content): Promise<Buffer> {
  return Buffer.from(
    await naming(what, () => contentBytes(source, content, { bytesMax: definitionBytesMax })),
  );
}

/** Definitions of tables are UTF-8, whatever the columns' own character sets are. */
export const tableSession = [
  'SET SESSION character_set_client = utf8mb4, collation_connection = utf8mb4_general_ci',
] as const;

/** Back to bytes as they are. */
export const rowSession = [
  `SET SESSION character_set_client = binary, collation_connection = binary, time_zone = '+00:00'`,
  `SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'`,
] as const;

/** No such table, column, routine, or a view of which that is so: what is asked for may come later. */
export const notThereYet: ReadonlySet<unknown> = new Set([1054, 1146, 1305, 1356]);

/**
 * Makes objects of some classes, each in the session in which it was written. A view whose tables or views are not there
 * waits for the others; what can never be made is named in a warning where the server said that it is broken.
 */
export async function makeObjects(
  connection: Connection,
  job: {
    readonly source: ChunkSource;
    readonly objects: readonly ObjectEntry[];
    readonly classes: readonly ObjectClass[];
  },
): Promise<string[]> {
  const warnings: string[] = [];
  let waiting = inMakingOrder(job.objects.filter(one => job.classes.includes(one.class)));
  while (waiting.length > 0) {
    const left: { readonly object: ObjectEntry; readonly error: StillpointError }[] = [];
    for (const object of waiting) {
      try {
        await makeObject(connection, job.source, object);
      } catch (error) {
        if (object.class !== 'view' || !notThereYet.has(serverErrorOf(error))) throw error;
        left.push({ object, error: error as StillpointError });
      }
    }
    if (left.length === waiting.length) {
      // So they were where they come from: SHOW CREATE shows a view whose tables are gone.
      warnings.push(...left.map(({ error }) => `${error.message}. Its definition is kept in the snapshot.`));
      break;
    }
    waiting = left.map(one => one.object);
  }
  await connection.run('go back to reading rows', [...rowSession]);
  return warnings;
}

async function makeObject(connection: Connection, source: ChunkSource, object: ObjectEntry): Promise<void> {
  const what = `${object.class} ${object.name}`;
  const sql = await readSql(source, what, object.sql);
  await connection.run(`make ${what}`, [...sessionSql(object), sql]);
}

/** By class; triggers by their order among those of the same moment, which is the order of their making. */
export function inMakingOrder(objects: readonly ObjectEntry[]): ObjectEntry[] {
  return [...objects].sort(
    (a, b) => objectClasses.indexOf(a.class) - objectClasses.indexOf(b.class) || a.order - b.order,
  );
}
