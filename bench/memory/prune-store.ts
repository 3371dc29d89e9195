import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { putIndexPart } from '../../store/chunk-index/put-part.ts';
import {
  beginPrune,
  type ChunkId,
  createStore,
  forgetSnapshot,
  ListingBuilder,
  openLocalBackend,
  openStore,
  type PackId,
  type SessionId,
  type Store,
  storeExtents,
  systemSeams,
} from '../../store/index.ts';
import { type PackRow, packName } from '../../store/pack/row.ts';
import { packBytesOf } from '../../store/pack/trailer.ts';
import { insideOf } from '../../store/store.ts';
import { commitTree, type Known, Tree } from '../prune/tree.ts';

const passphrase = 'bench';
const chunksPerPack = 512;
const chunksPerFrame = 8;
const chunkBytes = 30_000;
const chunksPerFile = 8;

/** What a prune of such a store came to, and the peak of memory by the end of each of its phases. */
export async function pruneZeros({ folder }: ZerosStore): Promise<unknown> {
  await using store = await openStore(await openLocalBackend(folder), { passphrase, seams: systemSeams });
  const startedMs = systemSeams.clock.monotonicMs();
  await using session = await beginPrune(store, { host: 'bench' });
  const peakBytes = new Map<string, number>();
  const onProgress = ({ phase }: { readonly phase: string }) => {
    peakBytes.set(phase, process.resourceUsage().maxRSS * 1024);
  };
  const { deletedPacks, rewrittenPacks } = await session.reclaim({ onProgress });
  const ms = Math.round(systemSeams.clock.monotonicMs() - startedMs);
  return { peakBytesByEndOf: Object.fromEntries(peakBytes), deletedPacks, rewrittenPacks, ms };
}

/** A store for a prune: its folder, and how many chunks its index lists. */
export interface ZerosStore {
  readonly folder: string;
  readonly chunks: number;
}

/**
 * An index that lists chunks in packs of zeros that take no room, one snapshot that needs four fifths of them, and real packs
 * to copy from.
 */
export async function buildZeros({ folder, chunks }: ZerosStore): Promise<void> {
  await using store = await createStore(await openLocalBackend(folder, { create: true }), {
    passphrase,
    seams: systemSeams,
  });
  await listZeros(store, { folder, chunks });
  await commitNeeded(store, Math.floor(chunks * 0.8));
  const tree = new Tree({ files: 40_000, changedPerState: 20_000, bytesMax: 8_000 });
  const known: Known = new Map();
  const first = await commitTree(store, tree, { known });
  tree.advance();
  await commitTree(store, tree, { known });
  await forgetSnapshot(store, first, { reason: 'bench' });
}

/** Index parts for packs of which every byte is a hole of the file system. */
async function listZeros(
  store: Store,
  { folder, chunks }: { readonly folder: string; readonly chunks: number },
): Promise<void> {
  const { context } = insideOf(store);
  const session = 'aa'.repeat(32) as SessionId;
  let rows: PackRow[] = [];
  for (let first = 0; first < chunks; first += chunksPerPack) {
    const row = rowOf(first);
    rows.push(row);
    const path = join(folder, packName(row.pack));
    mkdirSync(join(path, '..'), { recursive: true });
    const file = openSync(path, 'w');
    ftruncateSync(file, packBytesOf(row));
    closeSync(file);
    if (rows.length < 64 && first + chunksPerPack < chunks) continue;
    await putIndexPart(context, { session, rows, replaces: [] });
    rows = [];
  }
}

function rowOf(first: number): PackRow {
  const frameCount = chunksPerPack / chunksPerFrame;
  const frames = Buffer.alloc(13 * frameCount);
  const rows = Buffer.alloc(20 * chunksPerPack);
  for (let frame = 0; frame < frameCount; frame++) {
    frames.writeUInt32LE(chunkBytes * chunksPerFrame + 28, 13 * frame);
    frames.writeUInt32LE(chunkBytes * chunksPerFrame, 13 * frame + 4);
    frames.writeUInt32LE(chunksPerFrame, 13 * frame + 9);
  }
  for (let i = 0; i < chunksPerPack; i++) {
    idOf(first + i).copy(rows, 20 * i, 0, 16);
    rows.writeUInt32LE(chunkBytes, 20 * i + 16);
  }
  const random = createHash('sha256').update(`pack ${first}`).digest('hex').slice(0, 32);
  return { pack: `${'aa'.repeat(16)}${random}` as PackId, chunkClass: 'data', frames, chunks: rows };
}

function idOf(number: number): Buffer {
  return createHash('sha256').update(`chunk ${number}`).digest();
}

async function commitNeeded(store: Store, chunks: number): Promise<void> {
  await using session = await store.beginBackup({ host: 'bench' });
  const builder = new ListingBuilder(session, store.cuts.nodes);
  const body = Buffer.from([0x58, 60, ...Buffer.alloc(60, 7)]);
  for (let first = 0; first < chunks; first += chunksPerFile) {
    const extents = Array.from({ length: Math.min(chunksPerFile, chunks - first) }, (_, i) => ({
      kind: 'chunk' as const,
      id: new Uint8Array(idOf(first + i)) as ChunkId,
      offset: 0,
      length: chunkBytes,
    }));
    const contents = [await storeExtents(session, store.cuts.nodes, extents)];
    const number = String(first).padStart(9, '0');
    await builder.add({ key: Buffer.from(`folder-${number.slice(0, 5)}/file-${number}`), body, contents });
  }
  const root = await builder.finish();
  await session.commit({ roots: [{ id: root.id, kind: 'node' }], body: null });
}
