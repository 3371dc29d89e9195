import type { CborValue } from './cbor.ts';
import type { LoadedIndex } from './chunk-index/load.ts';
import { putIndexPart } from './chunk-index/put-part.ts';
import { chunkMissing, readChunk } from './chunk-reader.ts';
import { commitManifest } from './commit.ts';
import type { ChunkClass, ChunkRef, ChunkSink, ChunkSource } from './content.ts';
import type { StoreContext } from './context.ts';
import { secureDependencies } from './dependencies.ts';
import { isStoreError, storeError } from './errors.ts';
import type { ChunkId, SessionId, SnapshotId } from './ids.ts';
import { isForgotten } from './manifests.ts';
import { FrameReader } from './pack/reader.ts';
import type { PackRow } from './pack/row.ts';
import { PackWriter } from './pack/writer.ts';
import { createIntent, removeIntent } from './protocol/intent.ts';
import type { LiveSession } from './protocol/session.ts';

export interface NewManifest {
  /** Everything that the snapshot needs must be reachable from these. Stored already, or put in this session. */
  readonly roots: readonly ChunkRef[];
  /** Opaque to the store. */
  readonly body: CborValue;
  /** Gives every node below the roots to a write-only host, which cannot open them in the store; others need none. */
  readonly nodes?: ChunkSource;
}

/** What a session added. */
export interface Written {
  readonly newChunks: number;
  /** Before compression. */
  readonly newBytes: number;
  /** Packs as they lie in the store, so far. */
  readonly packedBytes: number;
}

/** One run's writing: nothing is visible before commit, which shows all of it at once. */
export interface BackupSession extends ChunkSink, ChunkSource, AsyncDisposable {
  readonly id: SessionId;
  readonly written: Written;
  /** Says that the session builds on a snapshot, so that nobody takes it away meanwhile. False: it was forgotten before. */
  buildOn(snapshot: SnapshotId): Promise<boolean>;
  /** Whether a new snapshot may depend on a chunk: a copy is there that is neither damaged nor about to go. */
  has(id: ChunkId, chunkClass: ChunkClass): boolean;
  /** Everything put before is durable, and other sessions can find it. */
  flush(): Promise<void>;
  /** No parity is computed from now on until it is resumed or all is committed: for while an application is locked. */
  pauseParity(): void;
  resumeParity(): void;
  /** Flushes and creates the manifest; the session is over. A failed commit leaves no snapshot. */
  commit(manifest: NewManifest): Promise<SnapshotId>;
  /** Ends the session without a snapshot. Idempotent, never throws; disposing without commit does it. */
  abandon(): Promise<void>;
}

export interface SessionParts {
  readonly context: StoreContext;
  readonly live: LiveSession;
  readonly host: string;
  /** For this session alone: it adds what it publishes. */
  readonly loaded: LoadedIndex;
  /** Reads a chunk by the newest index there is. */
  readonly readAnew: ChunkSource['get'];
  /** Takes over keys that were changed meanwhile. */
  readonly renew: () => Promise<void>;
  /** Called after the commit. */
  readonly onCommitted: () => void;
  readonly signal: AbortSignal | undefined;
}

/** A killed run's packs serve the next one as soon as an index part lists them. */
const rowsPerIndexPart = 64;
const cacheBytesMax = 16 * 1024 * 1024;

/** Wires chunks, packs, index parts and protocol together for one backup. */
export function backupSession(parts: SessionParts): BackupSession {
  const { context, live, host, loaded, signal } = parts;
  const { id } = live;
  const { index } = loaded;
  const frames = new FrameReader(context, { cacheBytesMax });
  // What this session depends on must be found by everyone, also after a power cut: it lists again what is uncertain.
  let rows: PackRow[] = [...loaded.unlisted];
  let state: 'open' | 'committed' | 'abandoned' = 'open';
  let isOutcomeUnknown = false;
  let partsWritten: Promise<void> = Promise.resolve();
  const written = { newChunks: 0, newBytes: 0, packedBytes: 0 };
  const writer = new PackWriter(context, {
    session: id,
    signal,
    onPublished(row, bytes) {
      index.addPack(row);
      rows.push(row);
      written.packedBytes += bytes;
    },
  });

  function checkOpen(): void {
    if (state !== 'open') throw new TypeError(`Cannot use session ${id}: it is ${state}`);
  }

  /** Who forgets marks first and asks then what sessions name: either side sees the other. */
  async function buildOn(snapshot: SnapshotId): Promise<boolean> {
    checkOpen();
    await live.name([snapshot]);
    return !(await isForgotten(context, snapshot, { signal }));
  }

  async function put(bytes: Uint8Array, chunkClass: ChunkClass): Promise<ChunkId> {
    checkOpen();
    const chunk = context.idOf(bytes, chunkClass);
    // Others may put the same chunk while this one waits.
    while (!isThere(chunk) && writer.isFull) await writer.room();
    add(chunk, bytes, chunkClass);
    if (rows.length >= rowsPerIndexPart) await writeIndexPart();
    return chunk;
  }

  function putNow(bytes: Uint8Array, chunkClass: ChunkClass): ChunkId | undefined {
    checkOpen();
    if (writer.isFull || rows.length >= rowsPerIndexPart) return undefined;
    const chunk = context.idOf(bytes, chunkClass);
    add(chunk, bytes, chunkClass);
    return chunk;
  }

  const isThere = (chunk: ChunkId): boolean => index.has(chunk) || writer.has(chunk);

  /** Where there is room. */
  function add(chunk: ChunkId, bytes: Uint8Array, chunkClass: ChunkClass): void {
    if (!isThere(chunk)) {
      writer.add(chunk, bytes, chunkClass);
      written.newChunks += 1;
      written.newBytes += bytes.length;
    }
    writer.check();
  }

  /** One after the other; a failure is every later one's too. */
  function writeIndexPart(): Promise<void> {
    partsWritten = partsWritten.then(async () => {
      const listed = rows;
      rows = [];
      if (listed.length === 0) return;
      await putIndexPart(context, { session: id, rows: listed, replaces: [] }, { signal });
    });
    partsWritten.catch(() => undefined); // whoever waits for it hears of it
    return partsWritten;
  }

  async function flush(): Promise<void> {
    checkOpen();
    await writer.flush();
    await writeIndexPart();
  }

  /** What only sessions that have not ended list may be lost with them: this one lists it too. */
  async function listAgain({ unlisted }: LoadedIndex): Promise<void> {
    const own = id.slice(0, 32);
    rows.push(...unlisted.filter(({ pack }) => !pack.startsWith(own)));
    await writeIndexPart();
  }

  async function commit(manifest: NewManifest): Promise<SnapshotId> {
    await flush();
    await writer.end();
    for (const root of manifest.roots) {
      if (index.has(root.id)) continue;
      const chunkClass = root.kind === 'data' ? 'data' : 'metadata';
      throw chunkMissing({ id: root.id, chunkClass }, context, loaded);
    }
    // Others may have committed under a newer epoch meanwhile, and their manifests are read below.
    await parts.renew();
    await createIntent(context, { session: id, record: { host, roots: manifest.roots } }, { signal });
    const { roots } = manifest;
    const { generations } = loaded;
    const nodes = context.ring.self && (manifest.nodes ?? { get });
    const dependent = { session: id, roots, nodes, generations, onFound: listAgain };
    await secureDependencies(context, dependent, { signal }).catch((error: unknown) => {
      throw nodes && isStoreError(error) && error.code === 'STORE_OBJECT_MISSING' ? unproven(error) : error;
    });
    const snapshot = await commitManifest(
      context,
      { session: id, host, roots, body: manifest.body, onUnknown: () => (isOutcomeUnknown = true) },
      { signal },
    );
    state = 'committed';
    parts.onCommitted();
    await writer.settleParity();
    await removeIntent(context, id);
    await live.end();
    return snapshot;
  }

  async function get(chunk: ChunkId, chunkClass: ChunkClass): Promise<Uint8Array> {
    const pending = await writer.find(chunk);
    if (pending !== undefined) return pending;
    // To who builds on what was stored before, what cannot be opened is as good as not there.
    if (context.ring.self !== undefined) throw chunkMissing({ id: chunk, chunkClass }, context);
    const answer = await readChunk({ context, frames, index }, { id: chunk, chunkClass });
    if ('bytes' in answer) return answer.bytes;
    // A prune that runs beside may have moved it.
    return parts.readAnew(chunk, chunkClass).catch((error: unknown) => {
      throw isStoreError(error) ? (answer.error ?? error) : error;
    });
  }

  /** A prune ran beside, and this host cannot show what its manifest needs. */
  function unproven(cause: Error): Error {
    return storeError(
      'STORE_LOCKED',
      `Cannot commit to ${context.backend.location}: another run pruned this store meanwhile, and what this snapshot needs cannot be told without a cache`,
      { remedy: 'Run the backup again, with a cache folder that can be written.', cause },
    );
  }

  async function abandon(): Promise<void> {
    if (state !== 'open') return;
    state = 'abandoned';
    await writer.stop(storeError('STORE_WRITE_FAILED', `Cannot write in session ${id}: it was abandoned`));
    await partsWritten.catch(() => undefined); // what failed there was thrown to whoever asked for it
    // A manifest that may yet turn out to exist keeps its intent: a root for whoever prunes.
    if (isOutcomeUnknown) return live.rest();
    await removeIntent(context, id);
    // While the session is there nobody counts on packs that no index part lists; afterwards they must be durable.
    const isDurable = await context.backend.sync().then(
      () => true,
      () => false,
    );
    if (isDurable) await live.end();
    else await live.rest();
  }

  return {
    id,
    get written() {
      return { ...written };
    },
    buildOn,
    has: (chunk, chunkClass) => index.lengthOf(chunk, chunkClass) !== undefined || writer.has(chunk),
    put,
    putNow,
    get,
    flush,
    pauseParity: () => writer.pauseParity(),
    resumeParity: () => writer.resumeParity(),
    commit,
    abandon,
    [Symbol.asyncDispose]: abandon,
  };
}
