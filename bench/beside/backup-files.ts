import {
  type BackupSession,
  type ChunkRef,
  type ChunkSource,
  extentsOf,
  ListingBuilder,
  type ListingRoot,
  readListing,
  type SnapshotId,
  type Store,
  storeExtents,
} from '../../store/index.ts';

/** A listing, and the names of the files in it; what they hold follows from their names. */
export interface Listed {
  readonly root: ListingRoot;
  readonly files: string;
}

export interface SmallBackup {
  readonly id: SnapshotId;
  /** Its own, then those of its parent. */
  readonly listings: readonly Listed[];
}

export function contentOf(file: string): Buffer {
  return Buffer.from(`${file} `.repeat(200));
}

/**
 * Commits files named by single letters, and with a parent its whole listings without looking at them, as a backup does that
 * finds nothing changed.
 */
export async function backUpFiles(
  store: Store,
  {
    host,
    files,
    parent,
    onSession,
  }: {
    readonly host: string;
    readonly files: string;
    readonly parent?: SmallBackup | undefined;
    readonly onSession?: (session: BackupSession) => void;
  },
): Promise<SmallBackup> {
  await using session = await store.beginBackup({ host });
  onSession?.(session);
  const listed =
    parent !== undefined && (await idsOf(store)).includes(parent.id) && (await session.buildOn(parent.id));
  const builder = new ListingBuilder(session, store.cuts.nodes);
  for (const file of files) {
    const bytes = contentOf(file);
    const id = await session.put(bytes, 'data');
    const extents = [{ kind: 'chunk' as const, id, offset: 0, length: bytes.length }];
    const contents = [await storeExtents(session, store.cuts.nodes, extents)];
    await builder.add({ key: Buffer.from(file), body: Buffer.from([0x01]), contents });
  }
  const own: Listed = { root: await builder.finish(), files };
  const listings = listed ? [own, ...parent.listings] : [own];
  const roots: ChunkRef[] = listings.map(({ root }) => ({ id: root.id, kind: 'node' }));
  const body = listings.map(({ root, files }) => [root.id, root.level, root.entries, files]);
  return { id: await session.commit({ roots, body }), listings };
}

/** What a committed snapshot says of itself. */
export async function smallBackups(store: Store): Promise<SmallBackup[]> {
  const backups: SmallBackup[] = [];
  for await (const { id, body } of store.snapshots())
    backups.push({
      id,
      listings: (body as [ListingRoot['id'], number, number, string][]).map(
        ([id, level, entries, files]) => ({
          root: { id, level, entries },
          files,
        }),
      ),
    });
  return backups;
}

/** Undefined where every file reads as it was put, else what is wrong. */
export async function damageOf(source: ChunkSource, { listings }: SmallBackup): Promise<string | undefined> {
  try {
    for (const { root, files } of listings) {
      let found = '';
      for await (const { key, contents } of readListing(source, root)) {
        const file = Buffer.from(key).toString();
        found += file;
        for await (const extent of extentsOf(source, contents[0]!))
          if (
            extent.kind === 'chunk' &&
            Buffer.compare(await source.get(extent.id, 'data'), contentOf(file)) !== 0
          )
            return `file ${file} is not what was put`;
      }
      if (found !== files) return `files ${found} instead of ${files}`;
    }
    return undefined;
  } catch (error) {
    return String(error);
  }
}

async function idsOf(store: Store): Promise<SnapshotId[]> {
  const ids: SnapshotId[] = [];
  for await (const { id } of store.snapshots()) ids.push(id);
  return ids;
}
