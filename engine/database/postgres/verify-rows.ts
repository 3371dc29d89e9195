import { engineError } from '../../errors.ts';
import type { Connection } from './connection.ts';
import { readDigest } from './copy.ts';
import { addDigests, emptyDigest, equalDigests, type RowDigest } from './digest.ts';
import type { Outline } from './outline.ts';
import { qualified } from './sql.ts';
import { allOrCut } from './workers.ts';

/** Reads every table back and compares: RESTORE_MISMATCH names the first that differs. */
export async function verifyRows(
  connections: readonly Connection[],
  job: { readonly outline: Outline; readonly digestKey: Uint8Array },
): Promise<void> {
  const { record, relations } = job.outline;
  const expected = new Map<string, RowDigest>();
  const found = new Map<string, RowDigest>();
  const queue = relations.filter(one => one.kind === 'table').values();
  await allOrCut(connections, async connection => {
    for (const relation of queue) {
      // Rows that were loaded through a parent may be in other partitions than they were.
      const name = qualified(relation.loadThrough ?? relation);
      const digest = await readDigest(connection, relation, {
        encoding: record.encoding,
        digestKey: job.digestKey,
      });
      expected.set(name, addDigests(expected.get(name) ?? emptyDigest, relation.digest));
      found.set(name, addDigests(found.get(name) ?? emptyDigest, digest));
    }
  });
  for (const [name, digest] of expected) {
    const restored = found.get(name) ?? emptyDigest;
    if (equalDigests(digest, restored)) continue;
    throw mismatch(name, { expected: digest, restored });
  }
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
