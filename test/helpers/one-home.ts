import {
  decodeHomeEntry,
  type HomeBase,
  type HomeEntry,
  type HomeOptions,
  type HomeResult,
  type HomeScan,
  openHome,
} from '../../engine/home/index.ts';
import { type ChunkSource, type ListingRoot, readListing, systemClock } from '../../store/index.ts';
import { type MemoryChunks, memoryChunks } from './memory-chunks.ts';

/** What happens between the steps of a capture. */
export interface Meanwhile {
  /** After the live look, before the window. */
  readonly beforeWindow?: () => void | Promise<void>;
  readonly budgetBytes?: number;
  readonly chunks?: MemoryChunks;
}

export interface CapturedHome {
  readonly chunks: MemoryChunks;
  readonly result: HomeResult;
  readonly scan: HomeScan;
  /** What a later run may build on. */
  readonly base: HomeBase;
  /** Entries by path, of the first root. */
  readonly entries: ReadonlyMap<string, HomeEntry>;
  /** A small file's bytes as Latin-1. */
  text(path: string): Promise<string>;
}

/** Runs all three steps over a folder into memory. */
export async function captureHome(
  root: string,
  options: Partial<HomeOptions> & Meanwhile = {},
): Promise<CapturedHome> {
  const {
    beforeWindow,
    budgetBytes = 1 << 24,
    chunks = memoryChunks(),
    clock = systemClock,
    ...rest
  } = options;
  await using home = await openHome({ root, sink: chunks, cuts: chunks.cuts, clock, ...rest });
  const scan = await home.prescan();
  await beforeWindow?.();
  await home.capture({ budgetBytes });
  const result = await home.finish();
  const entries = await entriesOf(chunks, result.roots[0]!.listing);
  const base = { source: chunks, roots: result.roots, timeMs: clock.nowMs(), has: chunks.has };
  return { chunks, result, scan, base, entries, text: path => textOf(chunks, entries.get(path)) };
}

export async function entriesOf(source: ChunkSource, listing: ListingRoot): Promise<Map<string, HomeEntry>> {
  const entries = new Map<string, HomeEntry>();
  for await (const entry of readListing(source, listing)) {
    const decoded = decodeHomeEntry(entry);
    entries.set(decoded.path, decoded);
  }
  return entries;
}

async function textOf(source: ChunkSource, entry: HomeEntry | undefined): Promise<string> {
  const { content } = entry ?? {};
  if (!content || !('extents' in content)) throw new Error('no such file, or a large one');
  const parts = await Promise.all(
    content.extents.map(async extent => {
      if (extent.kind === 'hole') return Buffer.alloc(extent.length);
      if (extent.kind === 'inline') return Buffer.from(extent.bytes);
      return Buffer.from(await source.get(extent.id, 'data')).subarray(
        extent.offset,
        extent.offset + extent.length,
      );
    }),
  );
  return Buffer.concat(parts).toString('latin1');
}
