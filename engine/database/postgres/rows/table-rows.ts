import { type ChunkSource, type ListingRoot, readListing, storeError } from '../../../../store/index.ts';
import { namingAll } from '../../../naming.ts';
import { decodeEntry } from '../entries/entry.ts';
import { keyPrefix, type RelationName } from '../entries/entry-parts.ts';
import type { SegmentEntry } from '../entries/segment-entry.ts';
import { segmentRows } from './reconstruct.ts';

export interface StoredTable {
  readonly root: ListingRoot;
  readonly relation: RelationName;
}

/** The rows of a table as COPY text, segment by segment, in the order of the heap. Nobody writes into a buffer later. */
export async function* tableRows(source: ChunkSource, table: StoredTable): AsyncGenerator<Uint8Array> {
  for await (const segment of tableSegments(source, table)) yield* namedRows(source, segment);
}

/** The segments of a table, in the order of the heap. */
export async function* tableSegments(
  source: ChunkSource,
  { root, relation }: StoredTable,
): AsyncGenerator<SegmentEntry> {
  for await (const entry of readListing(source, root, { prefix: keyPrefix('segment', relation) })) {
    const segment = decodeEntry(entry);
    if (segment.entry !== 'segment')
      throw storeError('STORE_DAMAGED', 'Cannot read rows: no segment under its key');
    yield segment;
  }
}

/** How many bytes `segmentRows` will give. What later backups changed is put together for it. */
export async function segmentRowBytes(source: ChunkSource, segment: SegmentEntry): Promise<number> {
  if (segment.deltas.length === 0) return segment.rows.length;
  let bytes = 0;
  for await (const part of namedRows(source, segment)) bytes += part.length;
  return bytes;
}

const namedRows = (source: ChunkSource, segment: SegmentEntry): AsyncGenerator<Uint8Array> =>
  namingAll(`table ${segment.schema}.${segment.name}`, segmentRows(source, segment));
