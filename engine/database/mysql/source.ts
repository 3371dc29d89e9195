import type { Content, ListingRoot } from '../../../store/index.ts';
import { engineError } from '../../errors.ts';
import { cutOnAbort } from '../cut-on-abort.ts';
import type {
  DatabaseEstimate,
  DatabaseFacts,
  DatabasePrecopied,
  DatabaseResult,
  DatabaseSource,
  FinishOptions,
  OtherSession,
  PrecopyOptions,
} from '../database.ts';
import type { MysqlMarks } from '../marks.ts';
import {
  type AdvancedTable,
  type AdvanceJob,
  advanceTables,
  changedRanges,
  type TableTask,
} from './advance.ts';
import { Base, type TableState } from './base.ts';
import { type Connection, openConnection } from './connection.ts';
import { serverErrorOf, serverErrors } from './failure.ts';
import { storeDatabase } from './finish.ts';
import { blockedBy, type Pinned, pinView, stillHolds } from './pin.ts';
import type { StoredRange } from './ranges.ts';
import { checkRights } from './rights.ts';
import { type RowHashing, rowHashing } from './row-hash.ts';
import { type ListedTable, listTables, readServer, type ServerFacts } from './server.ts';
import { listOtherSessions, readSizes } from './sessions.ts';
import { quoted } from './sql.ts';
import { type DefinedTable, isDefinedSo, readTables } from './tables.ts';
import type { MysqlBase, MysqlOptions } from './types.ts';

const readersDefault = 2;

interface Connections {
  readonly pin: Connection;
  readonly watch: Connection;
  readonly readers: readonly Connection[];
}

interface Prepared {
  readonly server: ServerFacts;
  readonly base: Base | undefined;
}

/** Connects, and opens every connection that the run needs. */
export async function connectMysql(options: MysqlOptions): Promise<MysqlSource> {
  const opened: Connection[] = [];
  try {
    const readers = new Array<'read'>(options.readers ?? readersDefault).fill('read');
    for (const purpose of ['pin', 'watch', ...readers] as const)
      opened.push(await openConnection({ ...options, purpose }));
  } catch (error) {
    for (const connection of opened) await connection.close();
    throw error;
  }
  const [pin, watch, ...readers] = opened;
  return new MysqlSource(options, { pin: pin!, watch: watch!, readers });
}

/** One database of a MariaDB server. */
export class MysqlSource implements DatabaseSource<MysqlMarks> {
  readonly #options: MysqlOptions;
  readonly #connections: Connections;
  #prepared: Prepared | undefined;
  #pinned: Pinned | undefined;
  readonly #precopied = new Map<string, TableState>();
  /** Contents that this run stored, or found that it may refer to. */
  readonly #stored = new WeakSet<Content>();
  #hashing: RowHashing | undefined;

  constructor(options: MysqlOptions, connections: Connections) {
    this.#options = options;
    this.#connections = connections;
  }

  async prepare(
    options: { readonly base?: MysqlBase | null | undefined; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<DatabaseFacts> {
    return this.#guarded(options.signal, async () => {
      const { watch } = this.#connections;
      const server = await readServer(watch);
      await checkRights(watch, server);
      const listed = await listTables(watch);
      // Refuses what it does not know while nobody waits.
      const tables = await readTables(watch, listed, { serverVersion: server.version });
      this.#prepared = { server, base: options.base ? await Base.load(options.base) : undefined };
      return {
        ...{
          database: watch.database,
          serverVersion: server.version,
          bytes: server.bytes,
          tables: tables.length,
        },
      };
    });
  }

  async precopy(options: PrecopyOptions): Promise<DatabasePrecopied> {
    const { base } = this.#ready('pre-copy');
    return this.#guarded(options.signal, async () => {
      const tables = await this.#define(await listTables(this.#connections.watch));
      const wanted = tables.filter(({ name }) => options.mode === 'all' || !base?.has(name));
      const tasks = await this.#tasksOf(wanted);
      const read = { rows: 0, bytes: 0 };
      const advanced = await advanceTables(
        this.#advanceJob(options, {
          tables: wanted.length,
          live: (reader, table, body) => this.#live(reader, table, body),
          onRead: (rows, bytes) => {
            read.rows += rows;
            read.bytes += bytes;
          },
        }),
        tasks,
      );
      for (const { table, ranges } of advanced) {
        this.#precopied.set(table.name, { definition: table.definition, ranges });
        for (const { rows } of ranges) this.#stored.add(rows);
      }
      return { segments: advanced.reduce((sum, one) => sum + one.changed, 0), ...read };
    });
  }

  async estimate(options: {
    readonly digestKey?: Uint8Array | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<DatabaseEstimate> {
    this.#ready('estimate');
    return this.#guarded(options.signal, async () => {
      const { watch, readers } = this.#connections;
      const tasks = await this.#tasksOf(await this.#define(await listTables(watch)));
      const hashing = options.digestKey ? rowHashing(options.digestKey) : this.#hashing;
      // What is stored was hashed under the store's key: without it every row counts.
      const known = tasks.filter(one => one.state && hashing);
      const changed = hashing
        ? await changedRanges({ readers, hashing }, known)
        : new Map<string, StoredRange[]>();
      const ranges = [...changed.values()];
      const sizes = await readSizes(watch);
      const unknown = tasks.filter(one => !known.includes(one)).map(one => one.table.name);
      return {
        tables: tasks.length,
        bytes:
          ranges.flat().reduce((sum, one) => sum + one.rows.length, 0) +
          unknown.reduce((sum, name) => sum + (sizes.get(name) ?? 0), 0),
        changedTables: ranges.filter(one => one.length > 0).length + unknown.length,
        changedSegments: ranges.flat().length,
        segments: known.reduce((sum, one) => sum + one.state!.ranges.length, 0),
      };
    });
  }

  async pin(
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<{ readonly pinMs: number; readonly tables: number; readonly threads: readonly number[] }> {
    this.#ready('pin');
    const { clock, guards } = this.#options;
    return this.#guarded(options.signal, async () => {
      const startedMs = clock.monotonicMs();
      const pinned = await pinView(this.#connections, guards).catch(async (error: unknown) => {
        throw await blockedBy(this.#connections, error);
      });
      this.#pinned = pinned;
      const { threads, tables } = pinned;
      return { threads, tables: tables.length, pinMs: clock.monotonicMs() - startedMs };
    });
  }

  async holds(): Promise<boolean> {
    return this.#pinned !== undefined && stillHolds(this.#connections.readers, this.#pinned);
  }

  otherSessions(): Promise<readonly OtherSession[]> {
    return listOtherSessions(this.#connections.watch, this.#all);
  }

  async finish(options: FinishOptions): Promise<DatabaseResult<MysqlMarks>> {
    const prepared = this.#prepared;
    const pinned = this.#pinned;
    if (!prepared || !pinned) throw new TypeError('Cannot finish: not pinned');
    return this.#guarded(options.signal, async () => {
      const { watch, readers } = this.#connections;
      // The readers' locks hold the tables as they were defined at the pin.
      const tables = await this.#define(pinned.tables);
      const advanced = await advanceTables(
        this.#advanceJob(options, { tables: tables.length }),
        await this.#tasksOf(tables),
      );
      const root = await storeDatabase({
        ...options,
        watch,
        server: prepared.server,
        pinned,
        tables: advanced,
      });
      if (!(await stillHolds(readers, pinned)))
        throw engineError('DATABASE_FAILED', 'Cannot finish the copy: the pinned view was lost on the way', {
          remedy: 'Find out who ended the sessions named stillpoint on the server, then run it again.',
        });
      return resultOf({ root, watch, prepared, pinned, advanced });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Cut, not asked to end: a query may be under way, and the server lets go of everything either way.
    for (const connection of this.#all) connection.destroy();
  }

  get #all(): readonly Connection[] {
    const { pin, watch, readers } = this.#connections;
    return [pin, watch, ...readers];
  }

  #ready(verb: string): Prepared {
    if (this.#prepared && !this.#pinned) return this.#prepared;
    throw new TypeError(`Cannot ${verb}: not prepared, or pinned already`);
  }

  #define(listed: readonly ListedTable[]): Promise<DefinedTable[]> {
    const { version } = this.#prepared!.server;
    return readTables(this.#connections.watch, listed, { serverVersion: version });
  }

  async #tasksOf(tables: readonly DefinedTable[]): Promise<TableTask[]> {
    const tasks: TableTask[] = [];
    for (const table of tables) {
      const early = this.#precopied.get(table.name);
      const isSame = early && Buffer.compare(early.definition, table.definition) === 0;
      const state = isSame
        ? early
        : await this.#prepared!.base?.state(table.name, table.definition, this.#options.guards);
      tasks.push({ table, state });
    }
    return tasks;
  }

  #advanceJob(
    options: FinishOptions,
    more: Pick<AdvanceJob, 'live'> & {
      readonly tables: number;
      readonly onRead?: (rows: number, bytes: number) => void;
    },
  ): AdvanceJob {
    const done = { rows: 0, bytes: 0 };
    this.#hashing = rowHashing(options.digestKey);
    return {
      ...options,
      ...this.#connections,
      live: more.live,
      hashing: this.#hashing,
      rangeBytes: this.#options.rangeBytes,
      guards: this.#options.guards,
      mayKeep: async ({ rows }) =>
        this.#stored.has(rows) || (await this.#prepared?.base?.mayRefer(rows)) === true,
      onRows: (rows, bytes) => {
        more.onRead?.(rows, bytes);
        done.rows += rows;
        done.bytes += bytes;
        const bytesTotal = this.#prepared!.server.bytes;
        options.onProgress?.({ tablesDone: 0, tablesTotal: more.tables, ...done, bytesTotal });
      },
    };
  }

  /** Something of a table that no view holds: its definition is held for as long, and is the one that was read. */
  async #live(reader: Connection, table: DefinedTable, body: () => Promise<void>): Promise<boolean> {
    const { version } = this.#prepared!.server;
    try {
      await reader.run('begin a reading', [
        'START TRANSACTION READ ONLY',
        `SELECT 1 FROM ${quoted(table.name)} WHERE FALSE`,
      ]);
      const isSame = await isDefinedSo(reader, table, { serverVersion: version });
      if (isSame) await body();
      await reader.run('end a reading', ['ROLLBACK']);
      return isSame;
    } catch (error) {
      const lost = [serverErrors.noTable, serverErrors.lockWaitTimeout] as readonly unknown[];
      if (!lost.includes(serverErrorOf(error)) || reader.isLost) throw error;
      await reader.run('end a reading', ['ROLLBACK']);
      return false; // what counts is the pin
    }
  }

  #guarded<T>(signal: AbortSignal | undefined, body: () => Promise<T>): Promise<T> {
    return cutOnAbort(this.#all, { signal, body });
  }
}

function resultOf(done: {
  readonly root: ListingRoot;
  readonly watch: Connection;
  readonly prepared: Prepared;
  readonly pinned: Pinned;
  readonly advanced: readonly AdvancedTable[];
}): DatabaseResult<MysqlMarks> {
  const { root, watch, prepared, pinned, advanced } = done;
  const ranges = advanced.flatMap(one => one.ranges);
  return {
    type: 'mysql',
    ...{ root, database: watch.database, serverVersion: prepared.server.version },
    tables: advanced.length,
    rows: ranges.reduce((sum, one) => sum + one.digest.rows, 0),
    segments: ranges.length,
    changedSegments: advanced.reduce((sum, one) => sum + one.changed, 0),
    bytes: ranges.reduce((sum, one) => sum + one.rows.length, 0),
    binlog: pinned.binlog ?? '',
    gtid: pinned.gtid,
    warnings: [],
  };
}
