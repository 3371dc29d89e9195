import type { TableCache } from '../../engine/database/database.ts';
import {
  connectPostgres,
  type PostgresBase,
  type PostgresPin,
  type PostgresResult,
} from '../../engine/database/postgres/index.ts';
import {
  createStore,
  encodeCbor,
  hex,
  type Kdf,
  memoryBackend,
  type Store,
  systemClock,
  systemSeams,
} from '../../store/index.ts';
import { changesDefinitions, isHarmless, type Round } from './events.ts';
import { differences, type KnownSegments, readStored, sequenceDifferences } from './stored.ts';
import { readSequences, readTruth } from './truth.ts';

/** `xmin`: as the engine is. `xmax`: rows count as new from the base's xmax on, which must show as wrong rows. */
export type Variant = 'xmin' | 'xmax';

/** Costs about a millisecond; what is kept here is no secret. */
const cheapKdf: Kdf = { type: 'scrypt', cost: 2, blockSize: 1, lanes: 1 };

export function makeFuzzStore(): Promise<Store> {
  return createStore(memoryBackend(), { passphrase: 'fuzz', seams: systemSeams, kdf: cheapKdf });
}

/** What one backup came to. */
export interface BackupOutcome {
  /** `abandoned` was let go after its pin; `refused` met definitions that changed after its pin. */
  readonly kind: 'full' | 'incremental' | 'abandoned' | 'refused';
  /** How it differs from a full copy at the same pin, or the engine's error; null where there is no result. */
  readonly wrong: readonly string[] | null;
  readonly segments: number;
  readonly changedSegments: number;
  readonly deltasMax: number;
  readonly withDeltas: number;
}

export interface BackupHooks {
  readonly betweenPrepareAndPin: () => Promise<void>;
  readonly afterPin: () => Promise<void>;
}

/** Every so manieth backup reads all rows again, and must find them as they would have been stored. */
const auditEvery = 7;
/** What finish says where definitions changed in a way that makes the view unreadable; asked only of changes after the pin. */
const refusals = /they changed again after the pin|a type was changed/;
const hostName = 'fuzz';
const basesKept = 4;

/** Backups of one database into one store, each on one of those before. */
export class Chain {
  readonly #url: string;
  readonly #readerUrl: string;
  readonly #store: Store;
  readonly #variant: Variant;
  #bases: PostgresResult[] = [];
  #cache = new Map<string, Uint8Array>();
  readonly #known: KnownSegments = new Map();

  constructor(options: {
    /** A superuser's, for the truth. */
    readonly url: string;
    /** Who backs up. */
    readonly readerUrl: string;
    readonly store: Store;
    readonly variant: Variant;
  }) {
    this.#url = options.url;
    this.#readerUrl = options.readerUrl;
    this.#store = options.store;
    this.#variant = options.variant;
  }

  /** One backup, compared with the truth at its own pin. */
  async backUp(round: Round, hooks: BackupHooks): Promise<BackupOutcome> {
    const base = this.#chooseBase(round);
    const kind = base ? 'incremental' : 'full';
    const nothing = { segments: 0, changedSegments: 0, deltasMax: 0, withDeltas: 0 };
    const store = this.#store;
    await using session = await store.beginBackup({ host: hostName });
    let step = 'connect';
    try {
      await using source = await connectPostgres({
        type: 'postgresql',
        url: this.#readerUrl,
        clock: systemClock,
        pgDump: null,
        ...(this.#variant === 'xmax' && {
          weakenedThreshold: (base: { readonly xmax: bigint }) => base.xmax,
        }),
      });
      step = 'prepare';
      await source.prepare({ base: base && this.#baseOf(base, session) });
      const cache = this.#cacheFor(round);
      const job = { sink: session, source: session, cuts: store.cuts, digestKey: store.rowDigestKey, cache };
      step = 'pre-copy';
      const { precopy, beside, events } = round;
      await both(precopy !== 'none' && beside.precopy && events.between.every(isHarmless), [
        async () => precopy !== 'none' && (await source.precopy({ ...job, mode: precopy })),
        hooks.betweenPrepareAndPin,
      ]);
      step = 'pin';
      const pin: PostgresPin = await source.pin();
      const truth = await readTruth(this.#url, pin.exportedSnapshot);
      const sequences = await readSequences(this.#url);
      if (round.isAbandoned) {
        await hooks.afterPin();
        return { kind: 'abandoned', wrong: null, ...nothing };
      }
      step = 'finish';
      let result: PostgresResult | undefined;
      await both(beside.finish, [
        hooks.afterPin,
        async () => {
          result = await source.finish({ ...job, audits: round.number % auditEvery === 3 });
        },
      ]);
      if (!result) throw new TypeError('finish gave no result');
      step = 'reconstruct';
      const digestKey = store.rowDigestKey;
      const listing = { source: session, root: result.root };
      const stored = await readStored(listing, { digestKey, known: this.#known });
      const wrong = [
        ...differences(stored, truth, digestKey),
        ...sequenceDifferences(stored.sequences, sequences),
        ...(result.audit?.differences ?? []).map(
          ({ table, rows }) => `the audit finds ${rows} rows of ${table}`,
        ),
      ];
      await session.commit({
        roots: [{ id: result.root.id, kind: 'node' }],
        body: encodeCbor(hex(result.root.id)),
      });
      // What is wrong may not make the next one wrong, too: they are counted.
      this.#bases = wrong.length > 0 ? [] : [result, ...this.#bases].slice(0, basesKept);
      const { segments, changedSegments } = result;
      return { kind, wrong, ...stored, segments, changedSegments };
    } catch (error) {
      if (!isEngineError(error)) throw error;
      if (refusals.test(error.message) && round.events.after.some(changesDefinitions))
        return { kind: 'refused', wrong: null, ...nothing };
      this.#bases = [];
      return { kind, wrong: [`${step}: ${error.code} ${error.message}`], ...nothing };
    }
  }

  #chooseBase(round: Round): PostgresResult | undefined {
    if (round.base === 'none') return undefined;
    return this.#bases[round.base === 'older' ? round.number % Math.max(this.#bases.length, 1) : 0];
  }

  #baseOf(result: PostgresResult, session: Pick<PostgresBase, 'has'> & PostgresBase['source']): PostgresBase {
    const { root, xmin, xmax, lsn, publishable } = result;
    const has: PostgresBase['has'] = (id, chunkClass) => session.has(id, chunkClass);
    return { source: session, root, xmin, xmax, lsn, publishable, has };
  }

  #cacheFor(round: Round): TableCache | undefined {
    if (round.cache === 'none') return undefined;
    if (round.cache === 'lost') this.#cache.clear();
    if (round.cache === 'in part')
      for (const [i, key] of [...this.#cache.keys()].entries()) if (i % 2 === 0) this.#cache.delete(key);
    const cache = this.#cache;
    return {
      get: async (kind, id) => cache.get(`${kind} ${hex(id)}`),
      put: (kind, id, bytes) => void cache.set(`${kind} ${hex(id)}`, new Uint8Array(bytes)),
    };
  }
}

/** At the same time, or one after the other; to the end of both. */
async function both(isAtOnce: boolean, tasks: readonly (() => Promise<unknown>)[]): Promise<void> {
  if (!isAtOnce) {
    for (const task of tasks) await task();
    return;
  }
  for (const outcome of await Promise.allSettled(tasks.map(task => task())))
    if (outcome.status === 'rejected') throw outcome.reason;
}

function isEngineError(error: unknown): error is Error & { readonly code: string } {
  const { code } = error as { code?: unknown };
  return error instanceof Error && typeof code === 'string' && /^(DATABASE|STORE|RESTORE)_/.test(code);
}
