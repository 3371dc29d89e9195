import { type ChunkSource, type ListingRoot, readListing } from '../../../store/index.ts';
import { decodeEntry } from './entry.ts';

/** What a database's listing holds, counted from its entries. Large objects are segments, and no tables. */
export interface DatabaseCounts {
  readonly tables: number;
  readonly segments: number;
  readonly rows: number;
}

/** Reads a whole listing, and none of the rows. STORE_DAMAGED, STORE_OBJECT_MISSING. */
export async function readDatabaseCounts(source: ChunkSource, root: ListingRoot): Promise<DatabaseCounts> {
  const counts = { tables: 0, segments: 0, rows: 0 };
  for await (const entry of readListing(source, root)) {
    const one = decodeEntry(entry);
    if (one.entry === 'segment') counts.segments += 1;
    if (one.entry !== 'relation' || one.kind !== 'table') continue;
    counts.tables += 1;
    counts.rows += one.digest.rows;
  }
  return counts;
}
