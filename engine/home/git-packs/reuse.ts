import { closeSync, lstatSync, readSync } from 'node:fs';
import type { Cuts } from '../../../chunker/index.ts';
import {
  type ChunkClass,
  type ChunkId,
  type ChunkSink,
  type ChunkSource,
  type Content,
  type Extent,
  extentsOf,
  isStoreError,
} from '../../../store/index.ts';
import { contentBytes, readContent } from '../../ingest/index.ts';
import { type BytePath, bytesOf, join } from '../paths.ts';
import type { EntryTable } from '../rows/index.ts';
import { codeOf, isFileError, openForReading, type Receiver } from '../system/read.ts';
import type { StatCalls, Stats } from '../system/stat.ts';
import { EntrySplitter } from './entries.ts';
import { KnownEntries } from './known-entries.ts';
import { type PackLayout, readPackIndex } from './pack-index.ts';
import { storingPieces } from './piecewise.ts';
import { type OldExtents, planPieces, RunList } from './plan.ts';

/** Below it a pack is stored as it is. */
const packBytesMin = 256 * 1024;
/** Of the old packs and the new one together: they are in memory while one is compared. */
const entriesMax = 1_000_000;
/** An index takes 28 to 44 bytes an entry. */
const indexBytesMax = 64 * 1024 * 1024;
const readBytes = 1 << 20;

/** Finds in new packs what packs that they replaced had. */
export interface PackReuse {
  /**
   * How to store the pack at a path, where Git wrote it in place of packs that the base has; undefined where that is not
   * so, or too little of it would be found. Valid while the file's stats stay those given then.
   */
  plan(path: BytePath): Promise<((stats: Stats) => Receiver<Content> | undefined) | undefined>;
}

interface Options {
  readonly root: BytePath;
  /** What the earlier snapshot had. */
  readonly table: EntryTable;
  readonly source: ChunkSource;
  has(id: ChunkId, chunkClass: ChunkClass): boolean;
  readonly sink: ChunkSink;
  readonly cuts: Cuts;
  readonly stat: StatCalls;
  readonly rest: () => Promise<void> | undefined;
}

/** A pack of the base, with its index. */
interface OldPack {
  readonly pack: Content;
  readonly index: Content;
  readonly path: BytePath;
}

const packName = /^pack-[0-9a-f]{40,64}\.pack$/;
const inPackFolder = /\/objects\/pack\/(pack-[0-9a-f]{40,64}\.pack)$/;

/**
 * A repack writes the objects of a repository anew, most of them byte for byte as they were, but at other places and with
 * other distances to their bases before them: so nothing that cuts by content finds much of it again. Here packs are
 * compared entry by entry.
 */
export function packReuse(options: Options): PackReuse {
  let byFolder: ReadonlyMap<BytePath, readonly OldPack[]> | undefined;
  return {
    async plan(path) {
      const [, name] = inPackFolder.exec(path) ?? [];
      if (name === undefined) return undefined;
      const folder = path.slice(0, -name.length) as BytePath;
      byFolder ??= oldPacks(options);
      const gone = (byFolder.get(folder) ?? []).filter(old => !isThere(old.path));
      if (gone.length === 0) return undefined;
      try {
        return await planOf(path, gone, options);
      } catch (error) {
        // Whatever it is, the pack can be stored whole; the store's own faults will show there, too.
        if (isFileError(error) || isStoreError(error)) return undefined;
        throw error;
      }
    },
  };
}

async function planOf(
  path: BytePath,
  gone: readonly OldPack[],
  options: Options,
): ReturnType<PackReuse['plan']> {
  const file = readNew(path, options);
  if (file === undefined) return undefined;
  const { fd, stats, layout } = file;
  try {
    const old = await loadOld(gone, entriesMax - layout.starts.length, options);
    if (old === undefined) return undefined;
    const runs = new RunList(layout, old.known);
    const splitter = new EntrySplitter(layout, (header, digest) => runs.add(header, digest));
    const buffer = new Uint8Array(readBytes);
    for (let at = 0; at < stats.size; ) {
      const read = readSync(fd, buffer, 0, Math.min(buffer.length, stats.size - at), at);
      if (read === 0) return undefined; // shortened meanwhile
      splitter.write(buffer.subarray(0, read));
      at += read;
      await options.rest();
    }
    const pieces = planPieces(runs.finish(stats.size), old.extents, ({ id }) => options.has(id, 'data'));
    return pieces && (found => (isSame(found, stats) ? storingPieces(pieces, options) : undefined));
  } finally {
    closeSync(fd);
  }
}

function readNew(
  path: BytePath,
  { stat }: Options,
): { readonly fd: number; readonly stats: Stats; readonly layout: PackLayout } | undefined {
  const index = readWhole(path.replace(/\.pack$/, '.idx') as BytePath, stat);
  if (index === undefined) return undefined;
  const fd = openForReading(path);
  let isKept = false;
  try {
    const stats = stat.open(fd, path);
    const layout = stats.size >= packBytesMin ? readPackIndex(index, stats.size) : undefined;
    if (layout === undefined || layout.starts.length >= entriesMax) return undefined;
    isKept = true;
    return { fd, stats, layout };
  } finally {
    if (!isKept) closeSync(fd);
  }
}

function readWhole(path: BytePath, stat: StatCalls): Uint8Array | undefined {
  const fd = openForReading(path);
  try {
    const { size } = stat.open(fd, path);
    if (size > indexBytesMax) return undefined;
    const bytes = new Uint8Array(size);
    let at = 0;
    for (let read = -1; read !== 0 && at < size; at += read) read = readSync(fd, bytes, at, size - at, at);
    return at === size ? bytes : undefined;
  } finally {
    closeSync(fd);
  }
}

/** Reads the old packs from the store, and what they hold. */
async function loadOld(
  packs: readonly OldPack[],
  entriesLeft: number,
  { source, rest }: Options,
): Promise<{ readonly known: KnownEntries; readonly extents: OldExtents } | undefined> {
  const laid: { readonly pack: Content; readonly layout: PackLayout; readonly base: number }[] = [];
  let entries = 0;
  let base = 0;
  for (const { pack, index } of packs) {
    if (index.length > indexBytesMax) continue;
    const layout = readPackIndex(await contentBytes(source, index, { bytesMax: indexBytesMax }), pack.length);
    if (layout === undefined || entries + layout.starts.length > entriesLeft) continue;
    laid.push({ pack, layout, base });
    entries += layout.starts.length;
    base += pack.length;
  }
  if (entries === 0) return undefined;
  const known = new KnownEntries(entries);
  const starts: number[] = [];
  const extents: Extent[] = [];
  for (const { pack, layout, base } of laid) {
    let at = base;
    for await (const extent of extentsOf(source, pack)) {
      starts.push(at);
      extents.push(extent);
      at += extent.kind === 'inline' ? extent.bytes.length : extent.length;
    }
    let entry = 0;
    const splitter = new EntrySplitter(layout, (header, digest) => {
      const from = base + layout.starts[entry]!;
      const to = base + (layout.starts[++entry] ?? layout.end);
      known.add({ from, to }, header, digest);
    });
    for await (const part of readContent(source, pack)) {
      if (part.kind === 'hole') return undefined; // no pack of Git's has one
      splitter.write(part.bytes);
      await rest();
    }
  }
  return { known, extents: { starts, extents } };
}

const isSame = (a: Stats, b: Stats): boolean =>
  a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs && a.ino === b.ino;

function isThere(path: BytePath): boolean {
  try {
    lstatSync(bytesOf(path));
    return true;
  } catch (error) {
    return codeOf(error) !== 'ENOENT';
  }
}

/** The packs of a table by the path of their folder, which ends in a slash. */
function oldPacks({ root, table }: Options): Map<BytePath, OldPack[]> {
  const found = new Map<BytePath, OldPack[]>();
  /** Names of the folders above the next row, by depth. */
  const above: BytePath[] = [];
  /** Indexes of the current folder: in byte order they come before their packs. */
  const indexes = new Map<string, number>();
  for (let at = 0; at < table.count; at++) {
    const depth = table.depth(at);
    if (table.isFolder(at)) {
      above[depth] = depth === 0 ? root : table.name(at);
      indexes.clear();
      continue;
    }
    if (!table.isFile(at) || above[depth - 1] !== 'pack') continue;
    const name = table.name(at);
    if (name.endsWith('.idx')) indexes.set(name.slice(0, -'.idx'.length), at);
    const index = packName.test(name) ? indexes.get(name.slice(0, -'.pack'.length)) : undefined;
    if (index === undefined || table.isUntaken(at) || table.isUntaken(index)) continue;
    const folder = above.slice(0, depth).reduce((path, part) => join(path, part));
    const [pack, indexContent] = [table.contentOf(at), table.contentOf(index)];
    if (pack === undefined || indexContent === undefined) continue;
    const key = `${folder}/` as BytePath;
    const packs = found.get(key) ?? [];
    packs.push({ pack, index: indexContent, path: join(folder, name) });
    found.set(key, packs);
  }
  return found;
}
