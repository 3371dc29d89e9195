import { engineError } from '../../../errors.ts';
import { addDigests, emptyDigest, equalDigests, type RowDigest } from '../../digest.ts';
import type { Connection } from '../connect/connection.ts';
import { readDigest, rowsSql } from '../connect/copy-relation.ts';
import { allOrCut } from '../connect/workers.ts';
import type { RelationEntry } from '../entries/relation-entry.ts';
import type { Outline } from '../outline/outline.ts';
import { qualified } from '../sql/quoting.ts';

/** Reads every table back and compares: RESTORE_MISMATCH names the first that differs. */
export async function verifyRows(
  connections: readonly Connection[],
  job: { readonly outline: Outline; readonly digestKey: Uint8Array },
): Promise<void> {
  const { record, relations } = job.outline;
  const expected = new Map<string, RowDigest>();
  const found = new Map<string, RowDigest>();
  const parts = relations
    .filter(one => one.kind === 'table')
    .sort((a, b) => b.heapBlocks - a.heapBlocks)
    .flatMap(relation => partsOf(relation, connections.length))
    .values();
  await allOrCut(connections, async connection => {
    for (const { relation, part, isFirst } of parts) {
      // Rows that were loaded through a parent may be in other partitions than they were.
      const name = qualified(relation.loadThrough ?? relation);
      const digest = await readDigest(connection, relation, {
        encoding: record.encoding,
        digestKey: job.digestKey,
        sql: part && rowsSql(relation, { encoding: record.encoding, part }),
      });
      if (isFirst) expected.set(name, addDigests(expected.get(name) ?? emptyDigest, relation.digest));
      found.set(name, addDigests(found.get(name) ?? emptyDigest, digest));
    }
  });
  for (const [name, digest] of expected) {
    const restored = found.get(name) ?? emptyDigest;
    if (equalDigests(digest, restored)) continue;
    throw mismatch(name, { expected: digest, restored });
  }
}

/** Below, one connection reads a table. */
const partedFromBlocks = 1024;

interface Part {
  readonly relation: RelationEntry;
  /** Undefined: the whole table. */
  readonly part: { readonly from: number | undefined; readonly to: number | undefined } | undefined;
  readonly isFirst: boolean;
}

/** A large table in as many parts as there are connections; the first has no beginning and the last no end. */
function partsOf(relation: RelationEntry, count: number): Part[] {
  const { heapBlocks } = relation;
  if (count < 2 || heapBlocks < partedFromBlocks) return [{ relation, part: undefined, isFirst: true }];
  const edge = (i: number): number => Math.floor((heapBlocks * i) / count);
  return Array.from({ length: count }, (_, i) => ({
    relation,
    part: { from: i === 0 ? undefined : edge(i), to: i === count - 1 ? undefined : edge(i + 1) },
    isFirst: i === 0,
  }));
}

export function mismatch(
  what: string,
  digests: { readonly expected: RowDigest; readonly restored: RowDigest },
): Error {
  const { expected, restored } = digests;
  const difference =
    expected.rows === restored.rows ? 'some rows differ' : `${restored.rows} rows, expected ${expected.rows}`;
  return engineError('RESTORE_MISMATCH', `Cannot restore ${what}: ${difference}`, {
    remedy: 'Do not use this database; run verify --read-data and restore again.',
  });
}
