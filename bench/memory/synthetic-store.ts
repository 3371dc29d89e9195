import { putIndexPart } from '../../store/chunk-index/put-part.ts';
import {
  appendLedger,
  type Backend,
  type CborValue,
  type ChunkId,
  createStore,
  type Entry,
  type Extent,
  hex,
  ListingBuilder,
  openLocalBackend,
  openStore,
  type PackId,
  type SessionId,
  type Store,
  storeExtents,
  systemSeams,
} from '../../store/index.ts';
import { encodeChunkRow, encodeFrameRow, type PackRow, packName } from '../../store/pack/row.ts';
import { packBytesOf } from '../../store/pack/trailer.ts';
import { insideOf } from '../../store/store.ts';

const passphrase = 'synthetic';
const session = 'ab'.repeat(32) as SessionId;
const chunkBytes = 256 * 1024;
const sealedBytes = 180 * 1024;
const chunksPerPack = 64;
const chunksPerFile = 4;
const packsPerPart = 64;

/** A store whose data packs are in its index and its lists, and nowhere else: what an act needs of them in memory is real. */
export interface SyntheticStore {
  readonly folder: string;
  readonly chunks: number;
}

/** Writes index, listing, manifest and ledger of a store of so many data chunks, each in a frame of its own, four a file. */
export async function buildStore({ folder, chunks }: SyntheticStore): Promise<void> {
  const backend = await openLocalBackend(folder, { create: true });
  await using store = await createStore(backend, {
    passphrase,
    seams: systemSeams,
    kdf: { type: 'scrypt', cost: 2, blockSize: 1, lanes: 1 },
  });
  const { context } = insideOf(store);
  const idAt = (chunk: number) => context.ring.blake3.hash([counter(chunk)]) as ChunkId;
  await commitListing(store, { chunks, idAt });
  const packs = packIds(chunks);
  for (let first = 0; first < packs.length; first += packsPerPart) {
    const rows = packs
      .slice(first, first + packsPerPart)
      .map((pack, i) => rowOf(pack, { first: first + i, idAt }));
    await putIndexPart(context, { session, rows, replaces: [] });
  }
  const act = { act: 'verified', host: 'synthetic', isOk: true, snapshots: [], detail: null } as const;
  await appendLedger(store, { ...act, packs });
}

async function commitListing(
  store: Store,
  { chunks, idAt }: { readonly chunks: number; readonly idAt: (chunk: number) => ChunkId },
): Promise<void> {
  await using backup = await store.beginBackup({ host: 'synthetic' });
  const builder = new ListingBuilder(backup, store.cuts.nodes);
  for (let file = 0; file * chunksPerFile < chunks; file++) {
    const extents = Array.from(
      { length: Math.min(chunksPerFile, chunks - file * chunksPerFile) },
      (_, i): Extent => {
        return { kind: 'chunk', id: idAt(file * chunksPerFile + i), offset: 0, length: chunkBytes };
      },
    );
    const entry: Entry = {
      key: Buffer.from(`shared/data/repositories/${String(file).padStart(9, '0')}/objects/pack/pack-1.pack`),
      body: Buffer.alloc(60, 0x41),
      contents: [await storeExtents(backup, store.cuts.nodes, extents)],
    };
    await builder.add(entry);
  }
  const root = await builder.finish();
  const body: CborValue = new Map<number, CborValue>([[1, root.entries]]);
  await backup.commit({ roots: [{ id: root.id, kind: 'node' }], body });
}

/** Opens what buildStore made; its data packs are listed as if they were there. */
export async function openSynthetic({ folder, chunks }: SyntheticStore): Promise<Store> {
  const real = await openLocalBackend(folder);
  const bytes = packBytesOf(rowOf(packIds(1)[0]!, { first: 0, idAt: () => new Uint8Array(32) as ChunkId }));
  const backend: Backend = {
    location: real.location,
    put: (...args) => real.put(...args),
    sync: options => real.sync(options),
    get: (...args) => real.get(...args),
    delete: (...args) => real.delete(...args),
    close: () => real.close(),
    async *list(prefix, options) {
      yield* real.list(prefix, options);
      if (!'packs/'.startsWith(prefix)) return;
      for (const pack of packIds(chunks)) yield { name: packName(pack), bytes };
    },
  };
  return openStore(backend, { passphrase, seams: systemSeams });
}

/** The last pack is as full as the others. */
function packIds(chunks: number): PackId[] {
  return Array.from({ length: Math.ceil(chunks / chunksPerPack) }, (_, pack) => {
    const random = Buffer.alloc(16);
    random.writeUInt32BE((pack * 0x9e3779b1) >>> 0);
    random.writeUInt32BE(pack, 12);
    return `${session.slice(0, 32)}${hex(random)}` as PackId;
  });
}

function rowOf(
  pack: PackId,
  { first, idAt }: { readonly first: number; readonly idAt: (chunk: number) => Uint8Array },
): PackRow {
  const frame = encodeFrameRow({ sealedBytes, rawBytes: chunkBytes, codec: 'zstd', chunks: 1 });
  const numbers = Array.from({ length: chunksPerPack }, (_, i) => first * chunksPerPack + i);
  return {
    pack,
    chunkClass: 'data',
    frames: Buffer.concat(numbers.map(() => frame)),
    chunks: Buffer.concat(numbers.map(chunk => encodeChunkRow(idAt(chunk), chunkBytes))),
  };
}

function counter(chunk: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeUIntLE(chunk, 0, 6);
  return bytes;
}
