import {
  type Backend,
  type ChunkId,
  type ChunkSource,
  type Entry,
  extentsOf,
  ListingBuilder,
  type ListingRoot,
  memoryBackend,
  readListing,
  type SnapshotId,
  type Store,
  storeExtents,
} from '../../store/index.ts';
import { makeStore } from './stores.ts';

/** What a small store holds, for comparing. */
export interface SmallSnapshot {
  readonly id: SnapshotId;
  readonly root: ListingRoot;
  /** By key. */
  readonly files: ReadonlyMap<string, Buffer>;
}

/** Commits files as a listing; each file is one chunk, and every third begins with a hole and ends with inline bytes. */
export async function commitFiles(
  store: Store,
  files: ReadonlyMap<string, Buffer>,
  { host = 'alpha', note = 'note' }: { readonly host?: string; readonly note?: string } = {},
): Promise<SmallSnapshot> {
  await using session = await store.beginBackup({ host });
  const builder = new ListingBuilder(session, store.cuts.nodes);
  let count = 0;
  for (const [name, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const entry: Entry = {
      key: Buffer.from(name),
      body: Buffer.from([0x18, 0x20 + (count % 7)]),
      contents: [await storeExtents(session, store.cuts.nodes, await extentsFor(session, bytes, count++))],
    };
    await builder.add(entry);
  }
  const root = await builder.finish();
  const body = new Map<number, string | number | Uint8Array>([
    [1, note],
    [2, root.id],
    [3, root.level],
    [4, root.entries],
  ]);
  const id = await session.commit({ roots: [{ id: root.id, kind: 'node' }], body });
  return { id, root, files: new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1))) };
}

async function extentsFor(
  sink: { put(bytes: Uint8Array, chunkClass: 'data'): Promise<ChunkId> },
  bytes: Buffer,
  position: number,
) {
  if (position % 3 !== 0 || bytes.length < 20)
    return bytes.length === 0
      ? []
      : [{ kind: 'chunk' as const, id: await sink.put(bytes, 'data'), offset: 0, length: bytes.length }];
  const id = await sink.put(bytes.subarray(0, -8), 'data');
  return [
    { kind: 'hole' as const, length: 4096 },
    { kind: 'chunk' as const, id, offset: 0, length: bytes.length - 8 },
    { kind: 'inline' as const, bytes: bytes.subarray(-8) },
  ];
}

/** A store in memory with one or two (default) snapshots of a few small files: some thousand bytes in all. */
export async function smallStore({
  backend = memoryBackend(),
  snapshots = 2,
}: {
  readonly backend?: Backend;
  readonly snapshots?: 1 | 2;
} = {}): Promise<{ store: Store; snapshots: readonly SmallSnapshot[] }> {
  const store = await makeStore({ backend });
  const files = new Map<string, Buffer>([
    ['bin', Buffer.from('one and the same line\n'.repeat(12))],
    ['etc/hosts', Buffer.from('127.0.0.1 localhost\n')],
    ['etc/motd', Buffer.from('welcome')],
    ['empty', Buffer.alloc(0)],
  ]);
  const first = await commitFiles(store, files);
  if (snapshots === 1) return { store, snapshots: [first] };
  const second = await commitFiles(store, new Map([...files, ['etc/new', Buffer.from('added later')]]));
  return { store, snapshots: [first, second] };
}

/** The files of a listing, with their holes. */
export async function readFiles(
  source: ChunkSource,
  root: ListingRoot,
): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for await (const { key, contents } of readListing(source, root)) {
    const parts: Uint8Array[] = [];
    for await (const extent of extentsOf(source, contents[0]!)) {
      if (extent.kind === 'inline') parts.push(extent.bytes);
      else if (extent.kind === 'chunk')
        parts.push(
          (await source.get(extent.id, 'data')).subarray(extent.offset, extent.offset + extent.length),
        );
    }
    files.set(Buffer.from(key).toString(), Buffer.concat(parts));
  }
  return files;
}
