import {
  type ChunkSource,
  type Content,
  extentsOf,
  type ListingRoot,
  readListing,
} from '../../store/index.ts';
import type { HomeEntry } from '../home/entry.ts';
import { type BytePath, bytePathOfText, join, shown } from '../home/paths.ts';
import { homeEntryReader } from '../home/read-entry.ts';
import { readContent } from '../ingest/index.ts';
import { namingAll } from '../naming.ts';
import type { Body, BodyPart, TarArchive } from './archive.ts';
import { blockBytes, type DataRun, mapLine, type TarKind } from './tar.ts';

export interface ExportTreeOptions {
  readonly source: ChunkSource;
  readonly listing: ListingRoot;
  /** The folder of the archive that the tree's root becomes. */
  readonly folder: string;
  readonly signal?: AbortSignal | undefined;
  readonly onEntry?: ((files: number, bytes: number) => void) | undefined;
}

/** Puts a stored folder tree into an archive. Memory grows with the number of files that have several names only. */
export async function exportTree(archive: TarArchive, options: ExportTreeOptions): Promise<void> {
  const { source, listing, signal, onEntry } = options;
  const top = bytePathOfText(options.folder);
  const read = homeEntryReader();
  /** The first name of each file that has several, and its sum. */
  const made = new Map<string, { readonly path: BytePath; readonly sha256: string | undefined }>();
  for await (const stored of readListing(source, listing)) {
    signal?.throwIfAborted();
    const entry = read(stored);
    const path = entry.path === '' ? top : join(top, entry.path);
    const group = entry.linked ? `${entry.fileSystem}:${entry.inode}:${entry.kind}` : undefined;
    const earlier = group === undefined ? undefined : made.get(group);
    if (earlier) {
      const again = { ...headerOf(entry, path), target: earlier.path };
      if (earlier.sha256 === undefined) await archive.add({ ...again, kind: 'hardLink' });
      else await archive.addName(again, earlier.sha256);
    } else {
      const sha256 = await addEntry(archive, { entry, path, source });
      if (group !== undefined) made.set(group, { path, sha256 });
    }
    if (entry.kind !== 'folder') onEntry?.(1, entry.content?.length ?? 0);
  }
}

const kinds: Readonly<Record<Exclude<HomeEntry['kind'], 'file'>, TarKind>> = {
  folder: 'folder',
  link: 'link',
  fifo: 'fifo',
  characterDevice: 'characterDevice',
  blockDevice: 'blockDevice',
};

async function addEntry(
  archive: TarArchive,
  { entry, path, source }: { entry: HomeEntry; path: BytePath; source: ChunkSource },
): Promise<string | undefined> {
  const header = headerOf(entry, path);
  if (entry.kind === 'file')
    return archive.addFile(
      header,
      await bodyOf(source, { content: entry.content!, name: shown(entry.path) }),
    );
  await archive.add({ ...header, kind: kinds[entry.kind], target: entry.target, device: entry.device });
  return undefined;
}

const headerOf = ({ mode, uid, gid, mtimeNs, xattrs }: HomeEntry, path: BytePath) => ({
  path,
  mode,
  uid,
  gid,
  mtimeNs,
  xattrs,
});

/** A file's bytes as a member's: with a map where there are holes. Lists of extents are read again for each. */
async function bodyOf(
  source: ChunkSource,
  { content, name }: { readonly content: Content; readonly name: string },
): Promise<Body> {
  const runs = () => runsOf(source, content);
  return {
    length: content.length,
    sparse: await sparseOf(runs(), content.length),
    runs,
    parts: () => namingAll(name, readContent(source, content) as AsyncIterable<BodyPart>),
  };
}

/** What is no hole; neighbours are one run. A hole at the end is an empty run there, as GNU tar has it. */
async function* runsOf(source: ChunkSource, content: Content): AsyncGenerator<DataRun> {
  let offset = 0;
  let start = 0;
  let endsInHole = false;
  for await (const extent of extentsOf(source, content)) {
    endsInHole = extent.kind === 'hole';
    if (extent.kind === 'hole') {
      if (offset > start) yield { offset: start, length: offset - start };
      offset += extent.length;
      start = offset;
    } else {
      offset += extent.kind === 'inline' ? extent.bytes.length : extent.length;
    }
  }
  if (offset > start || endsInHole) yield { offset: start, length: offset - start };
}

async function sparseOf(runs: AsyncIterable<DataRun>, length: number): Promise<Body['sparse']> {
  let count = 0;
  let dataBytes = 0;
  let textBytes = 0;
  for await (const run of runs) {
    count += 1;
    dataBytes += run.length;
    textBytes += mapLine(run.offset).length + mapLine(run.length).length;
  }
  if (dataBytes === length) return undefined;
  textBytes += mapLine(count).length;
  return { runs: count, dataBytes, mapBytes: Math.ceil(textBytes / blockBytes) * blockBytes };
}
