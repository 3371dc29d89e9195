import assert from 'node:assert/strict';
import { differences, readStored } from '../../bench/rows/stored.ts';
import { readTruth } from '../../bench/rows/truth.ts';
import type { ChunkSource, ListingRoot } from '../../store/index.ts';

/**
 * Compares every table of a listing with a whole COPY of it under the snapshot that the listing was made from: equal
 * bytes in the order of the heap, and digests that say so. Call it while that snapshot is still held.
 */
export async function assertRowsEqual(
  view: { readonly url: string; readonly exportedSnapshot: string },
  listing: { readonly source: ChunkSource; readonly root: ListingRoot; readonly digestKey: Uint8Array },
): Promise<{ readonly tables: number; readonly rows: number }> {
  const truth = await readTruth(view.url, view.exportedSnapshot);
  const stored = await readStored(listing, listing);
  assert.deepEqual(differences(stored, truth, listing.digestKey), []);
  const rows = [...stored.tables.values()].reduce((sum, one) => sum + one.digests[0]!.rows, 0);
  return { tables: stored.tables.size, rows };
}
