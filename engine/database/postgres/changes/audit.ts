import { isStoreError } from '../../../../store/index.ts';
import type { AuditDifference } from '../../database.ts';
import type { Relation } from '../catalog/relations.ts';
import type { Connection } from '../connect/connection.ts';
import { actionOn, rowsSql } from '../connect/copy-relation.ts';
import { copyOut } from '../connect/copy-stream.ts';
import { type SegmentMap, SegmentMapBuilder } from '../rows/segment-map.ts';
import type { SegmentMemory } from '../rows/segment-memory.ts';
import type { KnownSegment } from './advance-segment.ts';
import type { ReadRows } from './copy.ts';

const placesMax = 5;

/**
 * Reads all rows of a segment from the view, and compares them with what the segment stands for in the store: how rows
 * differ, or undefined where none does. Trusts neither what a backup knows of rows nor its cache. Stores nothing.
 */
export async function auditSegment(
  connection: Connection,
  task: ReadRows & { readonly memory: SegmentMemory; readonly segment: KnownSegment },
): Promise<AuditDifference | undefined> {
  const { relation, encoding, target, segment } = task;
  const { first, blocks } = segment.segment;
  const read = new SegmentMapBuilder({ first, blocks });
  await copyOut(connection, {
    action: actionOn(relation),
    sql: rowsSql(relation, { encoding, range: { first, blocks } }),
    digestKey: target.digestKey,
    hasPlaces: true,
    onRow: (low, high, block, offset) => {
      read.place(block, offset);
      read.hash(low, high);
    },
  });
  const stored = await storedMap(task);
  if (!stored) return differenceOf(relation, { rows: segment.segment.digest.rows, places: [] });
  const { rows, places } = compareMaps(stored, read.finish(), first);
  return rows === 0 ? undefined : differenceOf(relation, { rows, places });
}

export function differenceOf(
  { schema, name }: Pick<Relation, 'schema' | 'name'>,
  found: { readonly rows: number; readonly places: readonly string[] },
): AuditDifference {
  return { table: `${schema}.${name}`, ...found };
}

/** From the store; a host that may not read it has its cache. */
async function storedMap(
  task: ReadRows & { readonly memory: SegmentMemory; readonly segment: KnownSegment },
): Promise<SegmentMap | undefined> {
  try {
    return await task.memory.withoutCache().map(task.segment);
  } catch (error) {
    if (!isStoreError(error) || error.code !== 'STORE_WRITE_ONLY') throw error;
    return task.memory.map(task.segment);
  }
}

/** Rows that only one of them has, or that are not the same in both, with where the first few are. */
export function compareMaps(
  stored: SegmentMap,
  read: SegmentMap,
  first: number,
): { readonly rows: number; readonly places: readonly string[] } {
  const places: string[] = [];
  let rows = 0;
  let [i, j] = [0, 0];
  for (let block = 0; block < read.counts.length; block += 1) {
    const iEnd = i + (stored.counts[block] ?? 0);
    const jEnd = j + read.counts[block]!;
    while (i < iEnd || j < jEnd) {
      const ours = i < iEnd ? stored.offsets[i]! : Number.POSITIVE_INFINITY;
      const theirs = j < jEnd ? read.offsets[j]! : Number.POSITIVE_INFINITY;
      const isSame =
        ours === theirs &&
        stored.hashes[2 * i] === read.hashes[2 * j] &&
        stored.hashes[2 * i + 1] === read.hashes[2 * j + 1];
      if (!isSame) {
        rows += 1;
        if (places.length < placesMax) places.push(`(${first + block},${Math.min(ours, theirs)})`);
      }
      if (ours <= theirs) i += 1;
      if (theirs <= ours) j += 1;
    }
  }
  return { rows, places };
}
