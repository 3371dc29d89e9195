import { type ChunkSource, extentsOf, type ListingRoot } from '../../store/index.ts';
import { type Selected, selectedEntries } from './select.ts';

/** What a file takes on disk is a multiple of it, near enough for every file system. */
const blockBytes = 4096;

/** Bytes that a home takes when it is restored: holes take none, and a linked file is counted once for each name. */
export async function spaceOf(
  source: ChunkSource,
  what: { readonly listing: ListingRoot; readonly selected?: readonly Selected[] | undefined },
): Promise<number> {
  let total = 0;
  for await (const { contents } of selectedEntries(source, what)) {
    let bytes = 0;
    for (const content of contents) {
      for await (const extent of extentsOf(source, content)) {
        if (extent.kind === 'inline') bytes += extent.bytes.length;
        else if (extent.kind === 'chunk') bytes += extent.length;
      }
    }
    total += blockBytes * Math.ceil(bytes / blockBytes);
  }
  return total;
}
