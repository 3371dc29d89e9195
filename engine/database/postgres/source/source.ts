import type { ChunkSource } from '../../../../store/index.ts';
import { engineError } from '../../../errors.ts';
import { cutOnAbort } from '../../cut-on-abort.ts';
import type {
  DatabaseEstimate,
  DatabasePrecopied,
  DatabaseSource,
  FinishOptions,
  OtherSession,
  PrecopyOptions,
  TableCache,
} from '../../database.ts';
import type { PostgresMarks } from '../../marks.ts';
import { readLargeObjectIds, withLargeObjects } from '../catalog/large-objects.ts';
import { BaseSegments } from '../changes/base.ts';
import { stateFromBase, type TableState, type ViewedTable } from '../changes/table-state.ts';
import { listOtherSessions } from '../connect/sessions.ts';
import type { PostgresBase, PostgresFacts, PostgresOptions, PostgresPin, PostgresResult } from '../types.ts';
import { Connections, isBlocked } from './connections.ts';
import { estimateCopy } from './estimate.ts';
import { finishCopy } from './finish.ts';
import { type Pinned, stillHolds } from './pin.ts';
import { isToPrecopy, type Precopied, precopiedState, precopyTables } from './precopy.ts';
import { type Prepared, prepareBackup, readPinnedDefinitions } from './prepare.ts';
import { viewTables } from './view.ts';

const noView = { xmax: 0n };
const nothingCopied: DatabasePrecopied = { segments: 0, rows: 0, bytes: 0 };

/** Connects, checks that the server is one this program can back up, and opens every connection that the run needs. */
export async function connectPostgres(options: PostgresOptions): Promise<PostgresSource> {
  return new PostgresSource(options, await Connections.open(options));
}

/** A source of PostgreSQL, which tells more than others. */
export class PostgresSource implements DatabaseSource<PostgresMarks> {
  readonly #options: PostgresOptions;
  readonly #connections: Connections;
  #prepared: Prepared | undefined;
  #pinned: Pinned | undefined;
  #precopied: Precopied = new Map();

  constructor(options: PostgresOptions, connections: Connections) {
    this.#options = options;
    this.#connections = connections;
  }

  async prepare(
    options: {
      readonly base?: PostgresBase | null | undefined;
      readonly signal?: AbortSignal | undefined;
    } = {},
  ): Promise<PostgresFacts> {
    return this.#guarded(options.signal, async () => {
      const { pgDump } = this.#options;
      const prepared = await prepareBackup(this.#connections, { ...options, pgDump }).catch(
        async (error: unknown) => {
          throw await this.#connections.withBlockers(error);
        },
      );
      this.#prepared = prepared;
      const { facts, plan, ddl, bytes } = prepared;
      return {
        database: facts.database,
        serverVersion: facts.serverVersion,
        serverVersionNumber: facts.serverVersionNumber,
        systemIdentifier: String(facts.systemIdentifier),
        timeline: facts.timeline,
        encoding: facts.encoding,
        tables: plan.relations.filter(one => one.kind === 'table').length,
        sequences: plan.relations.filter(one => one.kind === 'sequence').length,
        bytes,
        ddlSource: ddl.source,
      };
    });
  }

  async precopy(options: PrecopyOptions): Promise<DatabasePrecopied> {
    const prepared = this.#prepared;
    if (!prepared || this.#pinned) throw new TypeError('Cannot pre-copy: not prepared, or pinned already');
    return this.#guarded(options.signal, async () => {
      try {
        return await this.#precopyFrom(prepared, options);
      } catch (error) {
        // Somebody holds a lock: what counts is the pin. Read after it, these tables take no longer.
        if (options.mode === 'new' && isBlocked(error)) return nothingCopied;
        throw error;
      }
    });
  }

  async estimate(options: {
    readonly source: ChunkSource;
    readonly cache?: TableCache | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<DatabaseEstimate> {
    const prepared = this.#prepared;
    if (!prepared || this.#pinned) throw new TypeError('Cannot estimate: not prepared, or pinned already');
    return this.#guarded(options.signal, () =>
      this.#connections.inView(prepared.plan, async pinned => {
        const { readers } = this.#connections;
        const { loaded } = prepared;
        const objects = await readLargeObjectIds(readers[0]!);
        const tables = await viewTables(readers[0]!, {
          ...pinned,
          ...withLargeObjects(pinned.relations, objects),
          loaded,
          encoding: prepared.facts.encoding,
        });
        const stateOf = this.#statesFromBase(pinned);
        return estimateCopy({ ...options, readers, tables, stateOf });
      }),
    );
  }

  async pin(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<PostgresPin> {
    const prepared = this.#prepared;
    if (!prepared) throw new TypeError('Cannot pin: not prepared');
    const { clock } = this.#options;
    return this.#guarded(options.signal, async () => {
      const startedMs = clock.monotonicMs();
      const pinned = await this.#connections.takePin(prepared.plan);
      this.#pinned = pinned;
      return {
        exportedSnapshot: pinned.exportedSnapshot,
        backendPid: this.#connections.pin.backendPid,
        lsn: pinned.lsn,
        xmin: pinned.xmin,
        xmax: pinned.xmax,
        tables: pinned.relations.filter(one => one.kind === 'table').length,
        sequences: pinned.sequences.length,
        definitionsReused: pinned.isAsPlanned,
        pinMs: clock.monotonicMs() - startedMs,
      };
    });
  }

  async holds(): Promise<boolean> {
    const pinned = this.#pinned;
    if (!pinned) return false;
    const { pin, readers } = this.#connections;
    const answers = await Promise.all([
      stillHolds(pin, pinned),
      ...readers.map(reader => stillHolds(reader, { ...pinned, transaction: null })),
    ]);
    return answers.every(Boolean);
  }

  otherSessions(): Promise<readonly OtherSession[]> {
    return listOtherSessions(this.#connections.watch, this.#connections.all);
  }

  async finish(options: FinishOptions): Promise<PostgresResult> {
    const prepared = this.#prepared;
    const pinned = this.#pinned;
    if (!prepared || !pinned) throw new TypeError('Cannot finish: not pinned');
    const { signal } = options;
    return this.#guarded(signal, async () => {
      const ddl = pinned.isAsPlanned
        ? prepared.ddl
        : await readPinnedDefinitions(this.#connections, { prepared, pinned, signal });
      const { facts, loaded } = prepared;
      const { fingerprintSql } = prepared.plan;
      const { clock } = this.#options;
      const { watch, readers } = this.#connections;
      const fromBase = this.#statesFromBase(pinned);
      const result = await finishCopy({
        ...options,
        ...{ clock, facts, pinned, ddl, fingerprintSql, watch, readers, loaded },
        stateOf: table => precopiedState(this.#precopied, table, pinned) ?? fromBase(table),
      });
      if (await this.holds()) return result;
      throw engineError('DATABASE_FAILED', 'Cannot finish the copy: the pinned view was lost on the way', {
        remedy: 'Find out who ended the sessions named stillpoint on the server, then run it again.',
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Cut, not asked to end: a COPY may be under way, and the server rolls back either way.
    for (const connection of this.#connections.all) connection.destroy();
  }

  async #precopyFrom(prepared: Prepared, options: PrecopyOptions): Promise<DatabasePrecopied> {
    const { watch, readers } = this.#connections;
    const { plan, loaded } = prepared;
    const { encoding } = prepared.facts;
    const { fingerprintSql } = plan;
    const planned = await viewTables(watch, { ...plan, encoding, loaded });
    // A view only where there is something to read in it: it holds back the clean-up of the whole server.
    const stateOf = this.#statesFromBase(loaded?.base ?? noView);
    if (!planned.some(table => isToPrecopy(table, { ...options, stateOf }))) return nothingCopied;
    return this.#connections.inView(prepared.plan, async pinned => {
      const { precopied, result } = await precopyTables({
        ...options,
        ...{ pinned, fingerprintSql, encoding, watch, readers, loaded },
        threshold: this.#thresholdOf(pinned),
        stateOf: this.#statesFromBase(pinned),
      });
      this.#precopied = precopied;
      return result;
    });
  }

  /** What the base gives of tables, whose segments are then asked for by ascending name. */
  #statesFromBase(view: { readonly xmax: bigint }): (table: ViewedTable) => TableState | undefined {
    const loaded = this.#prepared?.loaded;
    if (!loaded) return () => undefined;
    const known = {
      threshold: this.#thresholdOf(loaded.base),
      xmax: view.xmax,
      segments: new BaseSegments(loaded),
    };
    return table => stateFromBase(loaded, table, known);
  }

  /** From this transaction on, rows are newer than a view. */
  #thresholdOf(view: { readonly xmin: bigint; readonly xmax: bigint }): bigint {
    return this.#options.weakenedThreshold?.(view) ?? view.xmin;
  }

  #guarded<T>(signal: AbortSignal | undefined, body: () => Promise<T>): Promise<T> {
    return cutOnAbort(this.#connections.all, { signal, body });
  }
}
