import type { CborValue } from './cbor.ts';
import type { ChunkRef } from './content.ts';
import type { StoreContext } from './context.ts';
import { isStoreError, storeError } from './errors.ts';
import type { SessionId, SnapshotId } from './ids.ts';
import { checkReadable, encodeManifest, type Manifest, manifestName } from './manifest.ts';
import {
  listForgottenIds,
  listManifestIds,
  readAhead,
  readClearPart,
  readManifest,
  setDigest,
} from './manifests.ts';
import { holds } from './put-own.ts';

export interface Commit {
  readonly session: SessionId;
  readonly host: string;
  readonly roots: readonly ChunkRef[];
  readonly body: CborValue;
  /** Called when the medium did not say whether the manifest exists. */
  readonly onUnknown: () => void;
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Creates the manifest: the snapshot exists from here on. */
export async function commitManifest(
  context: StoreContext,
  commit: Commit,
  options: CallOptions = {},
): Promise<SnapshotId> {
  const { backend, ring, seams } = context;
  const id = commit.session as string as SnapshotId;
  const ids = await listManifestIds(context, options);
  const last = await lastOf(context, { host: commit.host, ids }, options);
  const manifest: Manifest = {
    id,
    host: commit.host,
    sequence: (last?.sequence ?? 0) + 1,
    previous: last?.id ?? null,
    createdMs: seams.clock.nowMs(),
    roots: commit.roots,
    seen: { count: ids.length, digest: setDigest(context, ids) },
    body: commit.body,
  };
  const bytes = encodeManifest(ring, manifest, { randomness: seams.randomness });
  proveReadable(manifest, bytes);
  options.signal?.throwIfAborted();
  const name = manifestName(id);
  const answer = await putCertainly(context, { name, bytes, onUnknown: commit.onUnknown });
  if (answer === 'created' || (await isOwn(backend, { name, bytes, onUnknown: commit.onUnknown }))) return id;
  throw storeError('STORE_LOCKED', `Cannot commit snapshot ${id}: another run declared this one dead`, {
    remedy: 'Run the backup again. If this machine was asleep, that is why.',
    context: { object: name },
  });
}

/** What nobody could read again is no snapshot: a reader's limits are the writer's, too. */
function proveReadable(manifest: Manifest, bytes: Uint8Array): void {
  try {
    checkReadable(manifest, bytes);
  } catch (cause) {
    throw storeError(
      'STORE_WRITE_FAILED',
      `Cannot commit snapshot ${manifest.id}: ${cause instanceof Error ? cause.message : 'its manifest cannot be read'}`,
      {
        remedy:
          'Find out what makes the manifest so unusual: very many sources that cannot be read, or a wrong clock.',
        cause,
      },
    );
  }
}

/**
 * A put that failed may have created its object all the same. A failed run must leave no snapshot, so it is asked again:
 * created now, or found there with our bytes (then it had worked), or nobody can say.
 */
async function putCertainly(
  { backend }: StoreContext,
  { name, bytes, onUnknown }: { name: string; bytes: Uint8Array; onUnknown: () => void },
): Promise<'created' | 'exists'> {
  try {
    return await backend.put(name, bytes);
  } catch (error) {
    if (!isStoreError(error)) throw error;
    try {
      return await backend.put(name, bytes);
    } catch {
      onUnknown();
      throw error; // the first failure says why; the second said nothing new
    }
  }
}

/** Whether what has the name is this run's own. Who cannot read it cannot say whether the snapshot exists. */
async function isOwn(
  backend: StoreContext['backend'],
  { name, bytes, onUnknown }: { name: string; bytes: Uint8Array; onUnknown: () => void },
): Promise<boolean> {
  try {
    return await holds(backend, { name, parts: [bytes] });
  } catch (error) {
    onUnknown();
    throw error;
  }
}

/** This host's last snapshot: aborted runs never were, forgotten ones still count. */
async function lastOf(
  context: StoreContext,
  { host, ids }: { host: string; ids: readonly SnapshotId[] },
  options: CallOptions,
): Promise<LastSnapshot | undefined> {
  if (context.ring.self !== undefined) return lastOwn(context, { host, ids }, options);
  let last: Manifest | undefined;
  for await (const [, reading] of readAhead(ids, id => readManifest(context, id, options))) {
    const manifest = await unlessDamaged(reading);
    if (manifest?.host === host && manifest.sequence > (last?.sequence ?? 0)) last = manifest;
  }
  return last;
}

/**
 * As far as a host can tell that opens no manifest. Anybody may write a clear part that names it: so none counts whose
 * sequence is higher than there ever were snapshots, and at worst a number is left out.
 */
async function lastOwn(
  context: StoreContext,
  { host, ids }: { host: string; ids: readonly SnapshotId[] },
  options: CallOptions,
): Promise<LastSnapshot | undefined> {
  const everMax = new Set([...ids, ...(await listForgottenIds(context, options))]).size;
  let last: LastSnapshot | undefined;
  for await (const [id, reading] of readAhead(ids, id => readClearPart(context, id, options))) {
    const outer = await unlessDamaged(reading);
    if (outer?.host !== host || outer.sequence > everMax) continue;
    if (outer.sequence > (last?.sequence ?? 0)) last = { id, sequence: outer.sequence };
  }
  return last;
}

type LastSnapshot = Pick<Manifest, 'id' | 'sequence'>;

/** A damaged manifest of long ago must not stop a backup; verify names it. */
async function unlessDamaged<T>(reading: Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (isStoreError(error) && (error.code === 'STORE_DAMAGED' || error.code === 'STORE_OBJECT_MISSING'))
      return undefined;
    throw error;
  }
}
