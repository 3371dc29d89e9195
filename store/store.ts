import { type Cuts, cutsFrom } from '../chunker/index.ts';
import type { Backend } from './backend/index.ts';
import { type BackupSession, backupSession } from './backup-session.ts';
import { CurrentIndex } from './chunk-index/current.ts';
import type { StoreProblem } from './chunk-index/masks.ts';
import { chunkMissing, readChunk } from './chunk-reader.ts';
import { loadZstd } from './compress.ts';
import type { ChunkClass, ChunkSource } from './content.ts';
import { contextOf, type StoreContext } from './context.ts';
import { isStoreError, storeError } from './errors.ts';
import type { ChunkId, PackId, SnapshotId, StoreId } from './ids.ts';
import {
  createKeys,
  type Kdf,
  type OpenKeys,
  renewKeys,
  underLaterKeys,
  unlockKeys,
  unlockWithHostKey,
} from './keys/index.ts';
import { type Manifest, type ManifestOuter, manifestName } from './manifest.ts';
import {
  listForgottenIds,
  readClearParts,
  readManifest,
  readSnapshots,
  resolveSnapshot,
  type SnapshotsOptions,
} from './manifests.ts';
import { FrameReader } from './pack/reader.ts';
import { runKeysOf, runOpener } from './pack/run.ts';
import type { SealingThreads } from './pack/sealers.ts';
import { WholePacks } from './pack/whole-packs.ts';
import type { ParityOptions } from './parity/writer.ts';
import { beginSession } from './protocol/session.ts';
import { type RunReader, runReader } from './run-reader.ts';
import type { Seams } from './seams.ts';

/** An open store. Reading needs no right to write. Any number of calls may be under way at once. */
export interface Store extends ChunkSource, AsyncDisposable {
  readonly id: StoreId;
  readonly location: string;
  /** The write-only host whose key opened it: what needs reading is STORE_WRITE_ONLY. Undefined: a passphrase did. */
  readonly host: string | undefined;
  /** Where this store cuts contents, rows and listings. */
  readonly cuts: Cuts;
  /** 16 bytes; equal in every store of one family. */
  readonly rowDigestKey: Uint8Array;
  /** 32 bytes: for checks of what is kept near on a backing-up host. */
  readonly cacheKey: Uint8Array;
  /** What could not be read so far and was done without: damaged index parts, replaced by the packs' own lists. */
  readonly problems: readonly StoreProblem[];
  /**
   * Begins to write. STORE_UNPROVEN where the medium may overwrite, STORE_NEWER where a newer program prunes.
   * The host's name is part of every snapshot, and its snapshots are counted; a write-only host has that of its key.
   */
  beginBackup(options: { readonly host: string; readonly signal?: AbortSignal }): Promise<BackupSession>;
  /**
   * Says that snapshots are being read, so that no prune takes their bytes away meanwhile; dispose to end it. A store that
   * may only be read is read without. SNAPSHOT_UNKNOWN where one was forgotten before it was said.
   */
  beginReading(options: {
    readonly host: string;
    readonly snapshots: readonly SnapshotId[];
    readonly signal?: AbortSignal | undefined;
  }): Promise<AsyncDisposable>;
  /** All snapshots, oldest first. A damaged manifest: STORE_DAMAGED after the last one, unless onDamage takes it. */
  snapshots(options?: SnapshotsOptions): AsyncIterable<Manifest>;
  /**
   * What manifests say in clear, of all snapshots, in no order: who cannot open them sees this much, and can prove none of
   * it. Damaged ones are left out.
   */
  clearParts(options?: { readonly signal?: AbortSignal }): AsyncIterable<ClearPart>;
  /** SNAPSHOT_UNKNOWN, STORE_DAMAGED. */
  manifest(id: SnapshotId, options?: { readonly signal?: AbortSignal }): Promise<Manifest>;
  /** The snapshot of a full id or a prefix of 4 or more digits. SNAPSHOT_UNKNOWN, SNAPSHOT_AMBIGUOUS. */
  resolve(text: string, options?: { readonly signal?: AbortSignal }): Promise<SnapshotId>;
  /** For whoever reads much data at once. */
  readRuns(): Promise<RunReader>;
  /** Idempotent. */
  close(): Promise<void>;
}

export interface OpenStoreOptions {
  readonly passphrase: string;
  readonly seams: Seams;
  /** Writes parity beside each new pack; absent: none. What is there is used either way. */
  readonly parity?: ParityOptions | undefined;
  /** Threads that compress and seal what is written, started when there is enough of it; absent: none. */
  readonly sealingThreads?: SealingThreads | undefined;
  readonly signal?: AbortSignal;
}

export interface OpenAsHostOptions
  extends Pick<OpenStoreOptions, 'seams' | 'parity' | 'sealingThreads' | 'signal'> {
  /** The bytes of the host's key file. */
  readonly keyFile: Uint8Array;
  /** Its path, for messages. */
  readonly file?: string | undefined;
}

/** What stands outside a manifest's seal. */
export type ClearPart = ManifestOuter & { readonly id: SnapshotId };

export interface CreateStoreOptions extends OpenStoreOptions {
  readonly kdf?: Kdf;
  /** Cuts and names content as this store does, so that copies between both need no work and each can heal the other. */
  readonly like?: Store;
}

/** Makes a store in an empty place and opens it. STORE_EXISTS, STORE_NOT_EMPTY. */
export async function createStore(backend: Backend, options: CreateStoreOptions): Promise<Store> {
  const { like, ...rest } = options;
  const keys = await createKeys(backend, { ...rest, ...(like && { like: insideOf(like).keys }) });
  await backend.keepReserve?.();
  return storeWith(await loadContext(backend, keys, options), keys);
}

/** STORE_MISSING, STORE_WRONG_PASSPHRASE, STORE_NEWER. */
export async function openStore(backend: Backend, options: OpenStoreOptions): Promise<Store> {
  const keys = await unlockKeys(backend, options);
  return storeWith(await loadContext(backend, keys, options), keys);
}

/** Opens a store to write to, with the key file of a write-only host. STORE_MISSING, STORE_WRONG_KEY, STORE_NEWER. */
export async function openStoreAsHost(backend: Backend, options: OpenAsHostOptions): Promise<Store> {
  const keys = await unlockWithHostKey(backend, options);
  return storeWith(await loadContext(backend, keys, options), keys);
}

async function loadContext(
  backend: Backend,
  { ring }: OpenKeys,
  { seams, parity, sealingThreads }: Pick<OpenStoreOptions, 'seams' | 'parity' | 'sealingThreads'>,
): Promise<StoreContext> {
  return contextOf({ backend, ring, zstd: await loadZstd(), seams, parity, sealingThreads });
}

const cacheBytesMax = 64 * 1024 * 1024;
/** As many as tables are restored at once, and one more. */
const wholePacksMax = 4;
const opened = new WeakMap<Store, { context: StoreContext; keys: OpenKeys }>();

/** The inside of a store, for other parts of this folder. */
export function insideOf(store: Store): { readonly context: StoreContext; readonly keys: OpenKeys } {
  const inside = opened.get(store);
  if (inside === undefined) throw new TypeError('Cannot look into a store: it is not from openStore');
  return inside;
}

/** A store from its opened parts. */
export function storeWith(context: StoreContext, keys: OpenKeys): Store {
  const { ring, config } = keys;
  const { backend, seams } = context;
  const current = new CurrentIndex(context, keys);
  const bytesOf = (pack: PackId) => current.latest?.index.bytesOf(pack);
  const whole = new WholePacks(context, { bytesOf, max: wholePacksMax });
  const frames = new FrameReader(context, { cacheBytesMax, whole });
  const inside = { backend, keys };

  /** Others write and prune meanwhile: a chunk that is not found, or not whole, is looked for once more. */
  async function get(id: ChunkId, chunkClass: ChunkClass): Promise<Uint8Array> {
    const loaded = await current.get();
    const answer = await readChunk({ context, frames, index: loaded.index }, { id, chunkClass });
    if ('bytes' in answer) return answer.bytes;
    const latest = await current.after(loaded);
    const second = await readChunk({ context, frames, index: latest.index }, { id, chunkClass });
    if ('bytes' in second) return second.bytes;
    throw answer.error ?? second.error ?? chunkMissing({ id, chunkClass }, context, latest);
  }

  async function readRuns(): Promise<RunReader> {
    const { index } = await current.get();
    const keys = runKeysOf(context);
    const opener = runOpener({ keys, zstd: context.zstd, blake3: ring.blake3 });
    return runReader(
      { context, frames },
      {
        opener,
        keys,
        index: () => current.latest?.index ?? index,
      },
    );
  }

  async function beginBackup({
    host: wanted,
    signal,
  }: {
    readonly host: string;
    readonly signal?: AbortSignal;
  }): Promise<BackupSession> {
    const host = ring.self?.name ?? wanted;
    const record = { purpose: 'backup', host, startedMs: seams.clock.nowMs(), snapshots: [] } as const;
    const live = await underLaterKeys(inside, () => beginSession(context, record, { signal }));
    try {
      const loaded = await current.load({ purpose: 'write', signal });
      const onCommitted = () => current.use(loaded);
      const renew = () => renewKeys(backend, keys);
      return backupSession({ context, live, host, loaded, readAnew: get, renew, onCommitted, signal });
    } catch (error) {
      await live.end();
      throw error;
    }
  }

  async function beginReading({
    host,
    snapshots,
    signal,
  }: Parameters<Store['beginReading']>[0]): Promise<AsyncDisposable> {
    const record = { purpose: 'read', host, startedMs: seams.clock.nowMs(), snapshots } as const;
    try {
      const live = await underLaterKeys(inside, () => beginSession(context, record, { signal }));
      try {
        await checkUnforgotten(context, snapshots, { signal });
      } catch (error) {
        await live.end();
        throw error;
      }
      return { [Symbol.asyncDispose]: () => live.end() };
    } catch (error) {
      const unheard = ['STORE_WRITE_FAILED', 'STORE_UNPROVEN', 'STORE_LOCKED'];
      if (!isStoreError(error) || !unheard.includes(error.code)) throw error;
      return { [Symbol.asyncDispose]: async () => {} };
    }
  }

  async function manifest(
    id: SnapshotId,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Manifest> {
    const found = await underLaterKeys(inside, () => readManifest(context, id, options));
    if (found !== undefined && !(await listForgottenIds(context, options)).has(id)) return found;
    throw storeError(
      'SNAPSHOT_UNKNOWN',
      `Cannot read snapshot ${id}: it was ${found ? 'forgotten' : 'never committed'}`,
      {
        remedy: 'List the snapshots with `stillpoint snapshots`.',
        context: { object: manifestName(id) },
      },
    );
  }

  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= backend.close();
    return closed;
  };

  const store: Store = {
    id: ring.storeId,
    location: backend.location,
    host: ring.self?.name,
    cuts: cutsFrom((label, length) => ring.domainKey(`chunker/${label}`, length), config.sizes),
    rowDigestKey: ring.domainKey('chunker/row-digest', 16),
    cacheKey: ring.domainKey('store/cache'),
    get problems() {
      return [...current.problems];
    },
    get,
    readRuns,
    beginBackup,
    beginReading,
    snapshots: options => {
      const read = (id: SnapshotId) => underLaterKeys(inside, () => readManifest(context, id, options));
      return readSnapshots(context, { ...options, read });
    },
    clearParts: options => readClearParts(context, options),
    manifest,
    resolve: (text, options) => resolveSnapshot(context, text, options),
    close,
    [Symbol.asyncDispose]: close,
  };
  opened.set(store, { context, keys });
  return store;
}

/** Asked after a session has named them: whoever forgets does it the other way round, so that one of both sees the other. */
async function checkUnforgotten(
  context: StoreContext,
  snapshots: readonly SnapshotId[],
  options: { readonly signal: AbortSignal | undefined },
): Promise<void> {
  const forgotten = await listForgottenIds(context, options);
  const gone = snapshots.find(id => forgotten.has(id));
  if (gone === undefined) return;
  throw storeError('SNAPSHOT_UNKNOWN', `Cannot read snapshot ${gone}: it was forgotten`, {
    remedy: 'List the snapshots with `stillpoint snapshots`.',
    context: { object: manifestName(gone) },
  });
}
