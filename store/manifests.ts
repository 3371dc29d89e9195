import type { StoreContext } from './context.ts';
import { isStoreError, storeError } from './errors.ts';
import { fromHex, type SnapshotId } from './ids.ts';
import {
  decodeClearPart,
  decodeManifest,
  type Manifest,
  type ManifestOuter,
  manifestBytesMax,
  manifestName,
} from './manifest.ts';
import { forgottenRecord } from './protocol/records.ts';
import { openRecord } from './record.ts';

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

const idPattern = /^manifests\/([0-9a-f]{64})$/;
const forgottenPattern = /^forgotten\/([0-9a-f]{64})$/;

/** Every id under manifests/, aborted runs and forgotten snapshots included, in ascending order. */
export async function listManifestIds(
  context: StoreContext,
  options: CallOptions = {},
): Promise<SnapshotId[]> {
  return namesLike(context, { prefix: 'manifests/', pattern: idPattern }, options);
}

/**
 * Ids of snapshots that were forgotten; their manifests may still be there. As long as there is a manifest to hide, a mark
 * counts only if it can be read, and, where hosts without the passphrase may write, has a key holder's signature.
 */
export async function listForgottenIds(
  context: StoreContext,
  options: CallOptions = {},
): Promise<ReadonlySet<SnapshotId>> {
  const ids = new Set(await listMarkedIds(context, options));
  if (ids.size === 0) return ids;
  for (const id of await listManifestIds(context, options))
    if (ids.has(id) && !(await isForgotten(context, id, options))) ids.delete(id);
  return ids;
}

/** Every id under forgotten/, whatever became of the mark's bytes. */
export async function listMarkedIds(
  context: StoreContext,
  options: CallOptions = {},
): Promise<readonly SnapshotId[]> {
  return namesLike(context, { prefix: 'forgotten/', pattern: forgottenPattern }, options);
}

/** What a mark says that counts. */
export interface Mark {
  /** The snapshot that came before it on its host; undefined: there was none, or nobody knows. */
  readonly previous: SnapshotId | undefined;
}

/** A mark that counts never changes: what was read once is not read again. */
const trustedMarks = new WeakMap<StoreContext, Map<SnapshotId, Mark>>();

/** Whether the mark that a snapshot is forgotten is there, can be read, and is a key holder's. */
export async function isForgotten(
  context: StoreContext,
  id: SnapshotId,
  options: CallOptions = {},
): Promise<boolean> {
  return (await readMark(context, id, options)) !== undefined;
}

/** The mark that a snapshot is forgotten; undefined where it is not there, cannot be read, or is no key holder's. */
export async function readMark(
  context: StoreContext,
  id: SnapshotId,
  { signal }: CallOptions = {},
): Promise<Mark | undefined> {
  const known = trustedMarks.get(context) ?? new Map<SnapshotId, Mark>();
  trustedMarks.set(context, known);
  if (known.has(id)) return known.get(id);
  const name = `forgotten/${id}`;
  const { backend, ring } = context;
  try {
    const bytes = await backend.get(name, signal ? { signal } : {});
    const { fields } = openRecord(ring, bytes, { kind: 'forgotten', name });
    const { snapshot, previous } = forgottenRecord.decode(fields, name);
    if (snapshot === id) known.set(id, { previous });
  } catch (error) {
    if (!isStoreError(error) || !['STORE_DAMAGED', 'STORE_OBJECT_MISSING'].includes(error.code)) throw error;
  }
  return known.get(id);
}

async function namesLike(
  { backend }: StoreContext,
  { prefix, pattern }: { prefix: string; pattern: RegExp },
  { signal }: CallOptions,
): Promise<SnapshotId[]> {
  const ids: SnapshotId[] = [];
  for await (const { name } of backend.list(prefix, signal ? { signal } : {})) {
    const id = pattern.exec(name)?.[1];
    if (id !== undefined) ids.push(id as SnapshotId);
  }
  return ids;
}

/** A manifest; undefined when its run was aborted. STORE_OBJECT_MISSING, STORE_DAMAGED. */
export async function readManifest(
  { backend, ring }: StoreContext,
  id: SnapshotId,
  { signal }: CallOptions = {},
): Promise<Manifest | undefined> {
  const bytes = await backend.get(manifestName(id), {
    bytesMax: manifestBytesMax,
    ...(signal && { signal }),
  });
  return decodeManifest(ring, bytes, id);
}

/** What a manifest says in clear; undefined when its run was aborted. STORE_OBJECT_MISSING, STORE_DAMAGED. */
export async function readClearPart(
  { backend, ring }: StoreContext,
  id: SnapshotId,
  { signal }: CallOptions = {},
): Promise<ManifestOuter | undefined> {
  const bytes = await backend.get(manifestName(id), {
    bytesMax: manifestBytesMax,
    ...(signal && { signal }),
  });
  return decodeClearPart(ring, bytes, id);
}

/** The clear parts of all snapshots that are neither forgotten nor aborted, and whose clear part is whole. */
export async function* readClearParts(
  context: StoreContext,
  options: CallOptions = {},
): AsyncGenerator<ManifestOuter & { readonly id: SnapshotId }> {
  const forgotten = await listForgottenIds(context, options);
  const ids = (await listManifestIds(context, options)).filter(id => !forgotten.has(id));
  for await (const [id, reading] of readAhead(ids, id => readClearPart(context, id, options))) {
    const outer = await reading.catch((error: unknown) => {
      if (isStoreError(error) && ['STORE_DAMAGED', 'STORE_OBJECT_MISSING'].includes(error.code))
        return undefined;
      throw error;
    });
    if (outer !== undefined) yield { ...outer, id };
  }
}

export interface SnapshotsOptions extends CallOptions {
  /** Called for a manifest that cannot be read. Without it, the first such error ends the sequence after the last. */
  readonly onDamage?: (id: SnapshotId, error: Error) => void;
}

/**
 * Manifests of all snapshots, oldest first: in each host's own sequence, and by time between hosts. What is forgotten or
 * aborted is left out.
 */
export async function* readSnapshots(
  context: StoreContext,
  {
    read: readOne = id => readManifest(context, id, options),
    ...options
  }: SnapshotsOptions & { readonly read?: (id: SnapshotId) => Promise<Manifest | undefined> } = {},
): AsyncGenerator<Manifest> {
  // Forgotten first: a snapshot forgotten meanwhile is then at worst listed once more, never lost.
  const forgotten = await listForgottenIds(context, options);
  const ids = (await listManifestIds(context, options)).filter(id => !forgotten.has(id));
  const manifests: Manifest[] = [];
  let failure: Error | undefined;
  for await (const [id, read] of readAhead(ids, readOne)) {
    try {
      const manifest = await read;
      if (manifest !== undefined) manifests.push(manifest);
    } catch (error) {
      if (!isStoreError(error) || error.code === 'STORE_WRITE_ONLY') throw error;
      // Deleted between list and read: it was forgotten by another run.
      if (error.code === 'STORE_OBJECT_MISSING' && (await listForgottenIds(context, options)).has(id))
        continue;
      if (options.onDamage === undefined) failure ??= error;
      else options.onDamage(id, error);
    }
  }
  yield* inOrder(manifests);
  if (failure !== undefined) throw failure;
}

const readsAhead = 8;

/** Reads some ids at a time, in their order; a failure waits in its promise. */
export async function* readAhead<T>(
  ids: readonly SnapshotId[],
  read: (id: SnapshotId) => Promise<T>,
): AsyncGenerator<[SnapshotId, Promise<T>]> {
  const underWay: [SnapshotId, Promise<T>][] = [];
  for (const id of ids) {
    const reading = read(id);
    reading.catch(() => undefined); // awaited by the caller, or of no interest after it stopped
    underWay.push([id, reading]);
    if (underWay.length >= readsAhead) yield underWay.shift()!;
  }
  yield* underWay;
}

/** Oldest first: merges the hosts' sequences by time, so that within a host a clock that jumped changes nothing. */
export function inOrder(manifests: readonly Manifest[]): Manifest[] {
  const hosts = new Map<string, Manifest[]>();
  for (const manifest of manifests) {
    const own = hosts.get(manifest.host);
    if (own === undefined) hosts.set(manifest.host, [manifest]);
    else own.push(manifest);
  }
  const placed = [...hosts.values()].flatMap((own, host) => {
    let latestMs = Number.NEGATIVE_INFINITY;
    return own
      .sort((a, b) => a.sequence - b.sequence || compareIds(a, b))
      .map(manifest => {
        latestMs = Math.max(latestMs, manifest.createdMs);
        return { manifest, latestMs, host };
      });
  });
  // By the latest time that the host had said so far: as if the heads of the sequences were merged, but in n · log n steps.
  return placed.sort((a, b) => a.latestMs - b.latestMs || a.host - b.host).map(({ manifest }) => manifest);
}

function compareIds(a: Manifest, b: Manifest): number {
  return a.id < b.id ? -1 : 1;
}

/** The snapshot that a full id or an unambiguous beginning of 4 or more hex digits means. */
export async function resolveSnapshot(
  context: StoreContext,
  text: string,
  options: CallOptions = {},
): Promise<SnapshotId> {
  const prefix = text.toLowerCase();
  if (!/^[0-9a-f]{4,64}$/.test(prefix))
    throw unknown(context, text, 'a snapshot is named by 4 to 64 hexadecimal digits');
  const forgotten = await listForgottenIds(context, options);
  const candidates = (await listManifestIds(context, options)).filter(
    id => id.startsWith(prefix) && !forgotten.has(id),
  );
  const found: SnapshotId[] = [];
  for (const id of candidates) {
    // A damaged manifest is still named by its id: the caller then says what is wrong with it.
    const manifest = await readManifest(context, id, options).catch((error: unknown) => {
      if (isStoreError(error) && error.code !== 'STORE_WRITE_ONLY') return null;
      throw error;
    });
    if (manifest !== undefined) found.push(id);
  }
  const [first, second] = found;
  if (first === undefined) throw unknown(context, text, 'no snapshot has this id');
  if (second !== undefined)
    throw storeError(
      'SNAPSHOT_AMBIGUOUS',
      `Cannot tell which snapshot ${text} is: ${found.length} begin so`,
      {
        remedy: `Give more digits, such as ${first.slice(0, Math.max(8, prefix.length + 4))}.`,
        context: { candidates: found.slice(0, 10) },
      },
    );
  return first;
}

function unknown({ backend }: StoreContext, text: string, state: string): Error {
  return storeError('SNAPSHOT_UNKNOWN', `Cannot find snapshot ${text} in ${backend.location}: ${state}`, {
    remedy: 'List the snapshots with `stillpoint snapshots`.',
  });
}

/** One digest for a set of manifests: BLAKE3 over their ids in ascending order. */
export function setDigest({ ring }: StoreContext, ids: readonly SnapshotId[]): Uint8Array {
  return ring.blake3.hash(fromHex([...ids].sort().join('')));
}
