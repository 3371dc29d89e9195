import type { Cuts } from '../../../../chunker/index.ts';
import {
  type ChunkSink,
  type Entry,
  hex,
  ListingBuilder,
  type ListingRoot,
} from '../../../../store/index.ts';
import type { LoadedBase } from '../changes/base.ts';
import { entryKinds } from '../entries/entry-parts.ts';

/** Stores entries, which are in key order; where they are those of the base, its listing is the one, and nothing is built. */
export async function storeListing(
  job: { readonly sink: ChunkSink; readonly cuts: Cuts; readonly loaded: LoadedBase | undefined },
  entries: readonly Entry[],
): Promise<ListingRoot> {
  if (job.loaded && isListing(job.loaded, entries)) return job.loaded.base.root;
  const builder = new ListingBuilder(job.sink, job.cuts.nodes);
  for (const entry of entries) await builder.add(entry);
  return builder.finish();
}

/** Segments that did not change are the very objects that came out of the base, and every one has a key of its own. */
function isListing(loaded: LoadedBase, entries: readonly Entry[]): boolean {
  if (entries.length !== loaded.base.root.entries || !loaded.nodes.mayRefer()) return false;
  return entries.every(entry => {
    if (entry.key[0] === entryKinds.segment) return loaded.segments.has(entry);
    const before = loaded.entries.get(hex(entry.key));
    return before !== undefined && isSame(before, entry);
  });
}

function isSame(a: Entry, b: Entry): boolean {
  if (Buffer.compare(a.body, b.body) !== 0 || a.contents.length !== b.contents.length) return false;
  return a.contents.every((one, i) => {
    const other = b.contents[i]!;
    if ('list' in one || 'list' in other)
      return (
        'list' in one && 'list' in other && one.length === other.length && equalBytes(one.list, other.list)
      );
    return (
      one.extents.length === other.extents.length &&
      one.extents.every((extent, at) => {
        const second = other.extents[at]!;
        if (extent.kind === 'hole') return second.kind === 'hole' && extent.length === second.length;
        if (extent.kind === 'inline')
          return second.kind === 'inline' && equalBytes(extent.bytes, second.bytes);
        return (
          second.kind === 'chunk' &&
          equalBytes(extent.id, second.id) &&
          extent.offset === second.offset &&
          extent.length === second.length
        );
      })
    );
  });
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
