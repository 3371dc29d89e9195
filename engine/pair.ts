import type { ListingRoot, SnapshotId } from '../store/index.ts';
import type { CommandRecord } from './command/index.ts';
import type { StoredDatabase } from './database/index.ts';
import type { FenceRecord, Forecast } from './latch/index.ts';

/** One folder tree of the home as it was stored. */
export interface PairedRoot {
  /** The path at backup time, as bytes. */
  readonly path: Uint8Array;
  readonly listing: ListingRoot;
}

/** The files' half of a pair. */
export interface PairedHome {
  readonly roots: readonly PairedRoot[];
  readonly files: number;
  readonly folders: number;
  readonly bytes: number;
  readonly changed: number;
  readonly changedInLatch: number;
  /** Sources that could not be read inside the window; the snapshot lacks them. */
  readonly unreadable: readonly string[];
}

/** The database's half of a pair. */
export type PairedDatabase = StoredDatabase;

/** A file of a database that lies in the home. */
export interface InternalFile {
  /** Below the home, as bytes, without a leading slash. */
  readonly path: Uint8Array;
  readonly bytes: number;
}

/** Something that a snapshot had and lacks now: a file, bytes of one, rows of a table. */
export interface Loss {
  readonly half: 'home' | 'database';
  readonly text: string;
}

/** Of a snapshot that a repair made: what is left of another one, and what is not. */
export interface Degraded {
  readonly of: SnapshotId;
  readonly losses: readonly Loss[];
  /** Losses beyond those listed. */
  readonly more: number;
}

/** What a manifest says: one point in time of home and database, and what proves that they belong together. */
export interface Pair {
  readonly instance: string;
  /** The instant of the pair: drained and not yet unlocked. ms since 1970 UTC. */
  readonly timeMs: number;
  readonly durationMs: number;
  readonly tags: readonly string[];
  readonly parent: string | null;
  readonly program: string;
  readonly fence: FenceRecord;
  /** How long the latch should have taken by what was known before the lock. */
  readonly forecast: Forecast;
  readonly home: PairedHome | null;
  readonly database: PairedDatabase | null;
  /** Files of the home that hold a database, all of them read inside the window; absent: there are none. */
  readonly internal?: readonly InternalFile[];
  /** The configuration that made it, as JSON, without secrets. */
  readonly configuration: string;
  readonly warnings: readonly string[];
  /** Commands of the administrator that ran for it, in order, with what they printed last. */
  readonly commands: readonly CommandRecord[];
  /** Absent: it is as it was taken. */
  readonly degraded?: Degraded;
}

/** A snapshot: the manifest and what it pairs. */
export interface Snapshot extends Pair {
  readonly id: SnapshotId;
  readonly host: string;
  readonly sequence: number;
  /** A write-only host signed it: nobody else vouches for what it says. */
  readonly isWriteOnly?: true;
}
