import type { HomeResult } from '../../engine/home/index.ts';
import type { Snapshot } from '../../engine/pair.ts';
import type { SnapshotId } from '../../store/index.ts';
import { somePair } from './pairs.ts';

/** A snapshot with this home and no database: for tests of what looks into one. */
export function snapshotOf(home: HomeResult, byte = 'ab'): Snapshot {
  return { ...somePair, home, id: byte.repeat(32) as SnapshotId, host: 'here', sequence: 1 };
}
