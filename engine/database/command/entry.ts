import {
  type ChunkSource,
  type Content,
  type Entry,
  encodeCbor,
  type ListingRoot,
  readListing,
  storeError,
} from '../../../store/index.ts';

/** The first byte of a key; a reader stops at one that it does not know. */
const dumpKind = 1;
const key = new Uint8Array([dumpKind]);

/** The one entry of a listing: what the command printed, in one content. */
export function encodeDump(content: Content): Entry {
  return { key, body: encodeCbor(new Map()), contents: [content] };
}

/** STORE_DAMAGED; STORE_NEWER for an entry that this program does not know. */
export function decodeDump(entry: Entry): Content {
  if (entry.key[0] !== dumpKind)
    throw storeError('STORE_NEWER', `Cannot read a dump's listing: entry kind ${entry.key[0]} is unknown`, {
      remedy: 'Use a newer version of this program.',
    });
  const [content] = entry.contents;
  if (content && entry.key.length === 1) return content;
  throw storeError('STORE_DAMAGED', 'Cannot read a dump: its entry is malformed', {
    remedy: 'Run `stillpoint verify` to see what else is damaged.',
  });
}

/** Null where the listing is empty: the command printed an id. */
export async function dumpIn(source: ChunkSource, listing: ListingRoot): Promise<Content | null> {
  for await (const entry of readListing(source, listing)) return decodeDump(entry);
  return null;
}
