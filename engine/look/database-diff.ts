import type { ChunkSource } from '../../store/index.ts';
import { type DatabaseDifference, kindOf } from '../database/index.ts';
import type { PairedDatabase } from '../pair.ts';

/** Compares the databases of two snapshots of one store; null: they are of two kinds, and have nothing in common. */
export async function diffDatabases(
  source: ChunkSource,
  {
    before,
    after,
    ...options
  }: {
    readonly before: PairedDatabase;
    readonly after: PairedDatabase;
    /** 16 bytes, whichever: rows are compared by their hashes under this key. */
    readonly key: Uint8Array;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<DatabaseDifference | null> {
  if (before.type !== after.type) return null;
  return kindOf(before).look.diff(source, { ...options, before: before.listing, after: after.listing });
}
