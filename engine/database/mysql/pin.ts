import { engineError } from '../../errors.ts';
import type { Connection } from './connection.ts';
import { serverErrorOf, serverErrors } from './failure.ts';
import { type DatabaseObject, readObjects } from './objects.ts';
import { type ListedTable, listTables } from './server.ts';
import { quoted } from './sql.ts';

export interface SequenceValue {
  readonly name: string;
  readonly next: bigint;
  readonly cycles: bigint;
}

/** A sequence with CREATE SEQUENCE: no lock keeps it from being altered after the moment. */
export interface PinnedSequence extends SequenceValue {
  readonly sql: Uint8Array;
}

/** What is known of the moment that the readers' views are of. */
export interface Pinned {
  readonly tables: readonly ListedTable[];
  readonly sequences: readonly PinnedSequence[];
  readonly objects: readonly DatabaseObject[];
  /** Sessions that hold the view. */
  readonly threads: readonly number[];
  /** `mariadb-bin.000003:1234`; null: no binary log, or it may not be seen. */
  readonly binlog: string | null;
  /** Empty: none. */
  readonly gtid: string;
}

interface Sessions {
  readonly pin: Connection;
  readonly watch: Connection;
  readonly readers: readonly Connection[];
}

/** For tests that must be able to fail: guards that are taken out. */
export interface Guards {
  readonly withoutStage?: boolean;
  readonly withoutTableLocks?: boolean;
  /** Ranges are compared by the number of their rows alone. */
  readonly countsOnly?: boolean;
  /** Bounds of ranges are taken to mean the same under every definition. */
  readonly anyDefinition?: boolean;
}

/** Statements that join a view in one go name so many tables. */
const tablesPerStatement = 200;

/**
 * Holds every commit and every definition for the moment in which all readers open their views and lock their tables.
 * BACKUP STAGE waits for no query and no open transaction, only for commits under way: what FLUSH TABLES WITH READ LOCK
 * would wait for. Gives up without holding anything where a lock does not come in time. All of it or none.
 */
export async function pinView(sessions: Sessions, guards: Guards = {}): Promise<Pinned> {
  const { pin, watch, readers } = sessions;
  try {
    if (!guards.withoutStage)
      await pin.run('hold commits', [
        'BACKUP STAGE START',
        'BACKUP STAGE BLOCK_DDL',
        'BACKUP STAGE BLOCK_COMMIT',
      ]);
    const tables = await listTables(pin);
    const names = guards.withoutTableLocks
      ? []
      : tables.filter(one => one.kind === 'table').map(one => one.name);
    const [objects, sequences] = await Promise.all([
      readObjects(watch),
      readSequences(pin, tables),
      ...readers.map(reader => joinView(reader, names)),
    ]);
    const position = await readPosition(pin);
    // Fails where the lock was lost on the way: then nobody knows whether the views are of one moment.
    if (!guards.withoutStage) await pin.run('let commits go', ['BACKUP STAGE END']);
    return { tables, objects, sequences, threads: readers.map(one => one.threadId), ...position };
  } catch (error) {
    await letGo(sessions);
    throw error;
  }
}

/** The view is this session's own from here on: no TRUNCATE or ALTER takes a table from under it. */
async function joinView(reader: Connection, names: readonly string[]): Promise<void> {
  await reader.run('open a view', ['START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY']);
  for (let at = 0; at < names.length; at += tablesPerStatement) {
    const some = names.slice(at, at + tablesPerStatement);
    await reader.run('lock the tables', [
      some.map(name => `SELECT 1 FROM ${quoted(name)} WHERE FALSE`).join(' UNION ALL '),
    ]);
  }
}

/** They move outside of every view. */
async function readSequences(
  connection: Connection,
  tables: readonly ListedTable[],
): Promise<PinnedSequence[]> {
  const values: PinnedSequence[] = [];
  for (const { name, kind } of tables) {
    if (kind !== 'sequence') continue;
    const [row] = await connection.texts(
      `read the sequence ${name}`,
      `SELECT next_not_cached_value AS n, cycle_count AS c FROM ${quoted(name)}`,
    );
    const [shown] = await connection.rows(
      `read the sequence ${name}`,
      `SHOW CREATE SEQUENCE ${quoted(name)}`,
    );
    values.push({
      name,
      next: BigInt(row!['n']!),
      cycles: BigInt(row!['c']!),
      sql: Uint8Array.from(shown![1]!),
    });
  }
  return values;
}

async function readPosition(connection: Connection): Promise<Pick<Pinned, 'binlog' | 'gtid'>> {
  const [row] = await connection.texts('read the position', 'SELECT @@gtid_binlog_pos AS gtid');
  const binlog = await connection
    .texts('read the position', 'SHOW MASTER STATUS')
    .then(([status]) => (status ? `${status['File']}:${status['Position']}` : null))
    .catch(() => null); // it takes a right of its own, and is for people alone
  return { binlog, gtid: row?.['gtid'] ?? '' };
}

/** After a failure, and after a view that was for a look alone. A connection that does not obey is cut. */
export async function letGo({ pin, watch, readers }: Sessions): Promise<void> {
  for (const one of [pin, watch, ...readers]) {
    const held = one === pin ? ['BACKUP STAGE END'] : ['ROLLBACK'];
    if (!one.isLost)
      await one.run('let go of a view', held).catch(error => {
        if (serverErrorOf(error) !== serverErrors.noBackupStage) one.destroy();
      });
  }
}

/** Whether the very sessions that pinned still hold their views. */
export async function stillHolds(readers: readonly Connection[], { threads }: Pinned): Promise<boolean> {
  const answers = await Promise.all(
    readers.map(async (reader, i) => {
      try {
        const [row] = await reader.texts(
          'look at the view',
          'SELECT CONNECTION_ID() AS id, @@in_transaction AS t',
        );
        return row?.['id'] === String(threads[i]) && row['t'] === '1';
      } catch {
        return false;
      }
    }),
  );
  return answers.every(Boolean);
}

/** Whose session has stood longest, where somebody's lock did not go away. */
export async function blockedBy({ pin, watch, readers }: Sessions, error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || serverErrorOf(error) !== serverErrors.lockWaitTimeout) return error;
  const own = [pin, watch, ...readers].map(one => one.threadId);
  const rows = await watch
    .texts(
      'look for who holds a lock',
      `SELECT ID AS id, USER AS u, IFNULL(TIME, 0) AS t, IFNULL(INFO, COMMAND) AS q FROM information_schema.PROCESSLIST
       WHERE USER <> 'system user' AND IFNULL(PROGRESS, 0) >= 0 AND ID NOT IN (${own.join(', ')}) AND COMMAND <> 'Daemon'
       ORDER BY IFNULL(DB, '') = DATABASE() DESC, COMMAND = 'Sleep', TIME_MS DESC LIMIT 3`,
    )
    .catch(() => []);
  if (rows.length === 0) return error;
  const who = rows.map(({ id, u, t, q }) => `session ${id} of ${u}, ${t} s: ${(q ?? '').slice(0, 60)}`);
  return engineError('DATABASE_FAILED', `${error.message} (longest there: ${who.join('; ')})`, {
    remedy: 'Wait until that session has ended, or KILL it; then run it again.',
    context: { serverError: serverErrors.lockWaitTimeout },
    cause: error,
  });
}
