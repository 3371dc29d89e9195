import {
  type ChunkSource,
  type Clock,
  type Content,
  type ContentSpace,
  contentSpace,
  extentsOf,
  type ListingRoot,
  readListing,
  storeError,
  systemClock,
} from '../../store/index.ts';
import type { HomeEntry } from '../home/entries/entry.ts';
import { homeEntryReader } from '../home/entries/read-entry.ts';
import { makePace, type Pace } from '../home/pace.ts';
import { type BytePath, bytePathOfText, join, shown } from '../home/paths.ts';
import { isVolatile } from '../home/system/xattrs.ts';
import { readContent } from '../ingest/index.ts';
import { namingAll } from '../naming.ts';
import type { Body, BodyPart, TarArchive } from './archive.ts';
import { blockBytes, type DataRun, mapLine, type TarKind } from './tar.ts';

export interface ExportTreeOptions {
  readonly source: ChunkSource;
  readonly listing: ListingRoot;
  /** The folder of the archive that the tree's root becomes. */
  readonly folder: string;
  readonly clock?: Clock | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onEntry?: ((files: number, bytes: number) => void) | undefined;
}

interface Exporting {
  readonly source: ChunkSource;
  readonly space: ContentSpace;
  readonly pace: Pace;
}

/** Puts a stored folder tree into an archive. Memory grows with the number of files that have several names only. */
export async function exportTree(archive: TarArchive, options: ExportTreeOptions): Promise<void> {
  const { source, listing, signal, onEntry } = options;
  const top = bytePathOfText(options.folder);
  const read = homeEntryReader();
  /** The first name of each file that has several, and its sum. */
  const made = new Map<string, { readonly path: BytePath; readonly sha256: string | undefined }>();
  const order = new ParentCheck();
  const pace = makePace({ clock: options.clock ?? systemClock, sliceMs: 10, signal });
  // In blocks of one byte: exactly what is no hole.
  const space = contentSpace(source, { blockBytes: 1, breathe: async () => pace.rest() });
  const exporting = { source, space, pace };
  for await (const stored of readListing(source, listing)) {
    signal?.throwIfAborted();
    const entry = read(stored);
    order.check(entry);
    const path = entry.path === '' ? top : join(top, entry.path);
    const group =
      entry.linked && entry.kind !== 'folder'
        ? `${entry.fileSystem}:${entry.inode}:${entry.kind}`
        : undefined;
    const earlier = group === undefined ? undefined : made.get(group);
    if (earlier) {
      const again = { ...headerOf(entry, path), target: earlier.path };
      if (earlier.sha256 === undefined) await archive.add({ ...again, kind: 'hardLink' });
      else await archive.addName(again, earlier.sha256);
    } else {
      const sha256 = await addEntry(archive, { entry, path, exporting });
      if (group !== undefined) made.set(group, { path, sha256 });
    }
    if (entry.kind !== 'folder') onEntry?.(1, entry.content?.length ?? 0);
  }
}

/**
 * Everything lies in a folder that the archive has, and nothing is both a folder and something else: of a listing that says
 * otherwise tar might write through a link. STORE_DAMAGED.
 */
class ParentCheck {
  /** Folders that are not left yet. */
  readonly #open: BytePath[] = [];
  /** Names that are no folders and that later ones begin with. */
  #others: BytePath[] = [];

  check({ path, kind }: HomeEntry): void {
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    while (this.#open.length > 0 && path !== '' && this.#open.at(-1) !== parent) {
      this.#open.pop();
      if (this.#open.length === 0) throw misplaced(path);
    }
    if (this.#open.length === 0 && (path !== '' || kind !== 'folder')) throw misplaced(path);
    this.#others = this.#others.filter(other => path.startsWith(other));
    if (kind !== 'folder') this.#others.push(path);
    else if (this.#others.includes(path)) throw misplaced(path);
    else this.#open.push(path);
  }
}

const misplaced = (path: BytePath): Error =>
  storeError('STORE_DAMAGED', `Cannot export ${shown(path)}: its listing has it in no folder, or twice`);

const kinds: Readonly<Record<Exclude<HomeEntry['kind'], 'file'>, TarKind>> = {
  folder: 'folder',
  link: 'link',
  fifo: 'fifo',
  characterDevice: 'characterDevice',
  blockDevice: 'blockDevice',
};

async function addEntry(
  archive: TarArchive,
  { entry, path, exporting }: { entry: HomeEntry; path: BytePath; exporting: Exporting },
): Promise<string | undefined> {
  const header = headerOf(entry, path);
  if (entry.kind === 'file')
    return archive.addFile(
      header,
      await bodyOf(exporting, { content: entry.content!, name: shown(entry.path) }),
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
  xattrs: xattrs.filter(({ name }) => !isVolatile(name)),
});

/** A file's bytes as a member's: with a map where there are holes. Lists of extents are read again for each. */
async function bodyOf(
  { source, space, pace }: Exporting,
  { content, name }: { readonly content: Content; readonly name: string },
): Promise<Body> {
  const dataBytes = await space.of(content);
  return {
    length: content.length,
    sparse: dataBytes === content.length ? undefined : await sparseOf(source, { content, pace, dataBytes }),
    runs: () => runsOf(source, { content, pace }),
    parts: () => namingAll(name, readContent(source, content) as AsyncIterable<BodyPart>),
  };
}

interface Seen {
  extents: number;
}

/** What is no hole; neighbours are one run. A hole at the end is an empty run there, as GNU tar has it. */
async function* runsOf(
  source: ChunkSource,
  { content, pace, seen }: { readonly content: Content; readonly pace: Pace; readonly seen?: Seen },
): AsyncGenerator<DataRun> {
  let offset = 0;
  let start = 0;
  let endsInHole = false;
  for await (const extent of extentsOf(source, content)) {
    if (seen) seen.extents += 1;
    if (seen && seen.extents > extentsMax) return;
    endsInHole = extent.kind === 'hole';
    if (extent.kind === 'hole') {
      if (offset > start) yield { offset: start, length: offset - start };
      offset += extent.length;
      start = offset;
    } else {
      offset += extent.kind === 'inline' ? extent.bytes.length : extent.length;
    }
    await pace.rest();
  }
  if (offset > start || endsInHole) yield { offset: start, length: offset - start };
}

/** Nobody waits for a longer map, and it would be larger than most files: such a file is written with its zeros. */
const runsMax = 1_000_000;
const extentsMax = 4_000_000;

async function sparseOf(
  source: ChunkSource,
  {
    content,
    pace,
    dataBytes,
  }: { readonly content: Content; readonly pace: Pace; readonly dataBytes: number },
): Promise<Body['sparse']> {
  const seen: Seen = { extents: 0 };
  let count = 0;
  let textBytes = 0;
  for await (const run of runsOf(source, { content, pace, seen })) {
    count += 1;
    if (count > runsMax) return undefined;
    textBytes += mapLine(run.offset).length + mapLine(run.length).length;
  }
  if (seen.extents > extentsMax) return undefined;
  textBytes += mapLine(count).length;
  return { runs: count, dataBytes, mapBytes: Math.ceil(textBytes / blockBytes) * blockBytes };
}
