import type { CborValue } from '../cbor.ts';
import type { ChunkRef, ChunkSource } from '../content.ts';
import type { StillpointError } from '../errors.ts';
import type { SnapshotId } from '../ids.ts';
import type { Manifest } from '../manifest.ts';
import type { LeftDamage } from './meaning.ts';
import type { Damage } from './report.ts';
import type { VerifyProgress } from './run.ts';
import type { Scrub } from './scrub.ts';
import type { CheckSnapshot } from './snapshots.ts';

export interface VerifyOptions {
  /**
   * Which part of the packs is read byte by byte, again whatever the ledger says: 0 (default) to 1; a lesser part is a new
   * choice in each run, and one pack at least. 'due': packs that were never read, and those whose turn it is this day.
   */
  readonly readData?: number | 'due';
  /** Walk from these snapshots only; default: all. Every manifest and other small object is opened all the same. SNAPSHOT_UNKNOWN. */
  readonly snapshots?: readonly SnapshotId[];
  /** Which packs readData is about: all (default), or those that the snapshots walked from need. */
  readonly packs?: 'all' | 'needed';
  /** Ends well after about this time; what waits is said. The newest and the oldest snapshot come first. */
  readonly maxDurationMs?: number | undefined;
  /** Called for each snapshot that was walked. */
  readonly check?: CheckSnapshot;
  /**
   * Who verifies: what was found is written into the ledger, and damage that was seen twice is recorded. Without it, or where
   * the store cannot be written, nothing changes.
   */
  readonly noteAs?: string;
  /**
   * Goes on where an object needs a newer program: it is in the result, and nothing is written down. Without it that is
   * STORE_NEWER.
   */
  readonly goesPastNewer?: boolean;
  /** Snapshots that whoever asks knows of: missed where they are neither there nor forgotten. */
  readonly remembered?: readonly SnapshotId[] | undefined;
  /** Kept with the act in the ledger. */
  readonly noteDetail?: CborValue;
  /** Threads that check data beside this one; as many as are worth it unless given. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: VerifyProgress) => void;
}

export interface VerifyResult {
  readonly isOk: boolean;
  /** Those that were walked. */
  readonly snapshots: readonly Manifest[];
  /** Whose turn it was, and for which the time was not enough. */
  readonly waiting: readonly SnapshotId[];
  /** Snapshots that were asked for, and whose turn it was not: they were walked lately. */
  readonly notDue: number;
  readonly objects: number;
  /** Chunks whose bytes were hashed; where only structure was asked for, references followed. */
  readonly chunksChecked: number;
  readonly bytesRead: number;
  readonly damage: readonly Damage[];
  /** Whole, as far as can be seen, and for a newer program; nothing is known of them. */
  readonly newer: readonly Damage[];
  /** Damaged objects beyond those listed. */
  readonly unlistedDamage: number;
  /** Packs that are recorded as damaged and of which nothing needed is lost: they go with a prune. */
  readonly harmless: readonly Damage[];
  /** Which of the damage a repair would leave as it is, and what that means. */
  readonly left: readonly LeftDamage[];
  /** Why nobody can say whether all is there: the medium failed to read what lists it. STORE_READ_FAILED. */
  readonly failure: StillpointError | undefined;
  /** Packs that were found wanting, and were whole when they were read again. */
  readonly unsteady: readonly string[];
  /** All snapshots from which something damaged or missing can be reached. */
  readonly affected: readonly SnapshotId[];
  /** What check had to say. */
  readonly problems: ReadonlyMap<SnapshotId, string>;
  readonly scrub: Scrub;
  /** Whether ledger and damage records were written; undefined: nobody asked. */
  readonly noted: { readonly isDone: boolean; readonly error?: Error } | undefined;
  /** Reads chunks by the index that was verified. */
  readonly source: ChunkSource;
  /**
   * The damaged objects that a chunk, or anything below a node, is lost with; empty when nothing of it is. Reads nodes.
   */
  culprits(ref: ChunkRef): Promise<readonly string[]>;
}
