import {
  type ChunkId,
  type ChunkRef,
  type ClearPart,
  decodeCbor,
  encodeCbor,
  fieldsOf,
  fromHex,
  isStoreError,
  type Manifest,
  type NewManifest,
  refsOfNode,
  type SnapshotId,
  type Store,
} from '../store/index.ts';
import type { Cache, OpenCache } from './cache.ts';
import type { Snapshot } from './pair.ts';
import { decodePair } from './pair-codec.ts';

/** What the newest snapshots of a write-only host were is known from its cache alone: it cannot open what it wrote. */
export async function recallSnapshots(
  store: Store,
  { instance, cache, countMax }: { instance: string; cache: Cache | undefined; countMax: number },
): Promise<Snapshot[]> {
  const found: Snapshot[] = [];
  if (cache === undefined) return found;
  for (const part of await ownParts(store)) {
    const snapshot = await recall(cache, part);
    if (snapshot?.instance === instance) found.unshift(snapshot);
    if (found.length === countMax) break;
  }
  return found;
}

/** Newest first. Anybody may claim the host's name there; what it did not commit itself is not in its cache. */
async function ownParts(store: Store): Promise<ClearPart[]> {
  const own: ClearPart[] = [];
  for await (const part of store.clearParts()) if (part.host === store.host) own.push(part);
  return own.sort((a, b) => b.sequence - a.sequence);
}

async function recall(cache: Cache, part: ClearPart): Promise<Snapshot | undefined> {
  const row = await cache.get('pair', fromHex(part.id));
  if (row === undefined) return undefined;
  try {
    return decodePair({ ...part, ...decodeRow(row) });
  } catch (error) {
    if (isStoreError(error)) return undefined; // of a version that wrote it otherwise
    throw error;
  }
}

/**
 * Keeps what the next run of this host builds on: what the manifest says, and every node below its roots, those too that
 * this run took over without looking at them.
 */
export async function rememberSnapshot(
  cache: OpenCache,
  { id, roots, body }: Pick<NewManifest, 'roots' | 'body'> & { readonly id: SnapshotId },
): Promise<void> {
  const ids = Buffer.concat(roots.map(root => root.id));
  cache.put('pair', fromHex(id), encodeCbor(new Map([[1, ids] as const, [2, body] as const])));
  const seen = new Set<string>();
  const nodes: ChunkId[] = [];
  const take = (refs: Iterable<ChunkRef>): void => {
    for (const { id: ref, kind } of refs) {
      const name = Buffer.from(ref).toString('latin1');
      if (kind !== 'node' || seen.has(name)) continue;
      seen.add(name);
      nodes.push(Uint8Array.from(ref) as ChunkId);
    }
  };
  take(roots);
  for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
    const bytes = await cache.get('node', node);
    if (bytes !== undefined) take(refsOfNode(bytes));
  }
}

function decodeRow(row: Uint8Array): Pick<Manifest, 'roots' | 'body'> {
  const fields = fieldsOf(decodeCbor(row, { what: 'a snapshot in the cache' }), 'a snapshot in the cache');
  const ids = fields.bytes(1);
  const roots = Array.from({ length: Math.floor(ids.length / 32) }, (_, i): ChunkRef => {
    return { id: ids.slice(32 * i, 32 * i + 32) as ChunkId, kind: 'node' };
  });
  return { roots, body: fields.value(2) };
}
