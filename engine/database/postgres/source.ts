import type { Clock } from '../../../store/index.ts';
import { engineError } from '../../errors.ts';
import type {
  ConnectOptions,
  DatabaseFacts,
  DatabasePin,
  DatabaseResult,
  DatabaseSource,
  FinishOptions,
} from '../database.ts';
import { type Connection, openConnection } from './connection.ts';
import { type Ddl, type DumpTool, findDumpTool, inspect, readDdl } from './ddl.ts';
import { fingerprintOf, fingerprintSql } from './fingerprint.ts';
import { finishCopy } from './finish.ts';
import { joinView, type Pinned, type PinPlan, pinView, stillHolds, warmView } from './pin.ts';
import { readServerFacts, type ServerFacts } from './server.ts';
import { listRelations } from './tables.ts';

/** What was learnt before the lock. */
interface Prepared {
  readonly facts: ServerFacts;
  readonly plan: PinPlan;
  readonly tool: DumpTool | undefined;
  readonly ddl: Ddl;
}

/** Connects, checks that the server is one this program can back up, and opens every connection that the run needs. */
export async function connectDatabase(options: ConnectOptions): Promise<DatabaseSource> {
  const opened: Connection[] = [];
  try {
    const readers = new Array<string>(options.readers ?? 2).fill('read');
    for (const purpose of ['pin', 'watch', ...readers])
      opened.push(await openConnection({ ...options, purpose }));
  } catch (error) {
    for (const connection of opened) await connection.close();
    throw error;
  }
  const [pin, watch, ...readers] = opened;
  return new PostgresSource({ options, pin: pin!, watch: watch!, readers });
}

class PostgresSource implements DatabaseSource {
  readonly #options: ConnectOptions;
  readonly #clock: Clock;
  readonly #pin: Connection;
  /** Outside any transaction: sees the server as it is now. */
  readonly #watch: Connection;
  readonly #readers: readonly Connection[];
  #prepared: Prepared | undefined;
  #pinned: Pinned | undefined;

  constructor(made: {
    readonly options: ConnectOptions;
    readonly pin: Connection;
    readonly watch: Connection;
    readonly readers: readonly Connection[];
  }) {
    this.#options = made.options;
    this.#clock = made.options.clock;
    this.#pin = made.pin;
    this.#watch = made.watch;
    this.#readers = made.readers;
  }

  async prepare(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<DatabaseFacts> {
    return this.#guarded(options.signal, async () => {
      const facts = await readServerFacts(this.#watch);
      const tool = await this.#chooseTool(facts.serverVersionNumber, options.signal);
      const sql = await fingerprintSql(this.#watch);
      const read = await this.#readDefinitions({ facts, tool, sql, signal: options.signal });
      this.#prepared = { facts, tool, plan: read.plan, ddl: read.ddl };
      const { relations } = read.plan;
      return {
        database: facts.database,
        serverVersion: facts.serverVersion,
        serverVersionNumber: facts.serverVersionNumber,
        systemIdentifier: String(facts.systemIdentifier),
        timeline: facts.timeline,
        encoding: facts.encoding,
        tables: relations.filter(one => one.kind === 'table').length,
        sequences: relations.filter(one => one.kind === 'sequence').length,
        bytes: read.bytes,
        ddlSource: read.ddl.source,
      };
    });
  }

  async pin(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<DatabasePin> {
    const prepared = this.#prepared;
    if (!prepared) throw new TypeError('Cannot pin: not prepared');
    return this.#guarded(options.signal, async () => {
      const startedMs = this.#clock.monotonicMs();
      const pinned = await this.#takePin(prepared.plan);
      this.#pinned = pinned;
      return {
        exportedSnapshot: pinned.exportedSnapshot,
        backendPid: this.#pin.backendPid,
        lsn: pinned.lsn,
        xmin: pinned.xmin,
        xmax: pinned.xmax,
        tables: pinned.relations.filter(one => one.kind === 'table').length,
        sequences: pinned.sequences.length,
        definitionsReused: pinned.isAsPlanned,
        pinMs: this.#clock.monotonicMs() - startedMs,
      };
    });
  }

  async holds(): Promise<boolean> {
    const pinned = this.#pinned;
    if (!pinned) return false;
    const answers = await Promise.all(
      [this.#pin, ...this.#readers].map(connection =>
        stillHolds(connection, connection === this.#pin ? pinned : { ...pinned, transaction: null }),
      ),
    );
    return answers.every(Boolean);
  }

  async finish(options: FinishOptions): Promise<DatabaseResult> {
    const prepared = this.#prepared;
    const pinned = this.#pinned;
    if (!prepared || !pinned) throw new TypeError('Cannot finish: not pinned');
    return this.#guarded(options.signal, async () => {
      const ddl = pinned.isAsPlanned
        ? prepared.ddl
        : await this.#readPinnedDefinitions(prepared, pinned, options);
      const result = await finishCopy({
        ...options,
        clock: this.#clock,
        facts: prepared.facts,
        pinned,
        ddl,
        watch: this.#watch,
        readers: this.#readers,
      });
      if (await this.holds()) return result;
      throw engineError('DATABASE_FAILED', 'Cannot finish the copy: the pinned view was lost on the way', {
        remedy: 'Find out who ended the sessions named stillpoint on the server, then run it again.',
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Cut, not asked to end: a COPY may be under way, and the server rolls back either way.
    for (const connection of [this.#pin, this.#watch, ...this.#readers]) connection.destroy();
  }

  async #chooseTool(version: number, signal?: AbortSignal): Promise<DumpTool | undefined> {
    const { pgDump } = this.#options;
    if (pgDump === null) return undefined;
    if (pgDump === undefined) return findDumpTool(version, { signal });
    const tool = await inspect(pgDump, signal);
    if (tool && Number.parseInt(tool.version, 10) >= Math.floor(version / 10_000)) return tool;
    throw engineError(
      'TOOL_MISSING',
      `Cannot use ${pgDump}: it is ${tool ? `version ${tool.version}` : 'no pg_dump'}`,
      {
        remedy: `Install the PostgreSQL ${Math.floor(version / 10_000)} client.`,
      },
    );
  }

  async #takePin(plan: PinPlan): Promise<Pinned> {
    try {
      const pinned = await pinView(this.#pin, plan);
      await Promise.all(this.#readers.map(reader => joinView(reader, pinned)));
      return pinned;
    } catch (error) {
      for (const one of [this.#pin, ...this.#readers])
        if (!one.isLost) await one.script('let go of a view', ['ROLLBACK']);
      throw error;
    }
  }

  /** Definitions, list of relations and fingerprint of one moment, in a snapshot that is let go at once. */
  async #readDefinitions(job: {
    readonly facts: ServerFacts;
    readonly tool: DumpTool | undefined;
    readonly sql: string;
    readonly signal: AbortSignal | undefined;
  }): Promise<{ plan: PinPlan; ddl: Ddl; bytes: number }> {
    const { facts, tool, sql, signal } = job;
    const [, exported, prints, size] = await this.#pin.script('read definitions', [
      'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
      'SELECT pg_catalog.pg_export_snapshot()',
      sql,
      'SELECT pg_catalog.pg_database_size(pg_catalog.current_database())',
    ]);
    const relations = await listRelations(this.#pin, facts.user);
    const ddl = await readDdl(this.#pin, {
      tool,
      encoding: facts.encoding,
      exportedSnapshot: exported![0]![0] as string,
      signal,
    });
    await this.#pin.script('read definitions', ['ROLLBACK']);
    const fingerprint = fingerprintOf(prints!);
    const plan = await warmView(this.#pin, {
      plan: { user: facts.user, relations, fingerprintSql: sql, fingerprint, isWarm: false },
      readers: this.#readers,
    });
    return { plan, ddl, bytes: Number(size![0]![0]) };
  }

  /** The definitions of the pin. They come from the server as it is now, so they must not have changed since. */
  async #readPinnedDefinitions(prepared: Prepared, pinned: Pinned, options: FinishOptions): Promise<Ddl> {
    const { facts, tool, plan } = prepared;
    const { exportedSnapshot } = pinned;
    const ddl = await readDdl(this.#pin, {
      tool,
      encoding: facts.encoding,
      exportedSnapshot,
      signal: options.signal,
    });
    const [now] = await this.#watch.script('compare definitions', [plan.fingerprintSql]);
    if (Buffer.compare(fingerprintOf(now!), pinned.fingerprint) !== 0)
      throw engineError('DATABASE_FAILED', 'Cannot read definitions: they changed again after the pin', {
        remedy: 'Run it again when nobody changes tables.',
      });
    return ddl;
  }

  /** While it runs an abort cuts every connection: whatever waits on one fails at once. */
  async #guarded<T>(signal: AbortSignal | undefined, body: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const cut = (): void => {
      for (const connection of [this.#pin, this.#watch, ...this.#readers]) connection.destroy();
    };
    signal?.addEventListener('abort', cut, { once: true });
    try {
      return await body();
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    } finally {
      signal?.removeEventListener('abort', cut);
    }
  }
}
