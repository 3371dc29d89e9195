import type { Cuts } from '../../chunker/index.ts';
import type {
  ChunkClass,
  ChunkId,
  ChunkSink,
  ChunkSource,
  Clock,
  ListingRoot,
  SnapshotId,
} from '../../store/index.ts';

/** Where a database is. `password` wins over the URL's; without either, PGPASSWORD and PGPASSFILE count. */
export interface DatabaseAddress {
  readonly type: 'postgresql';
  /** `postgresql://user@host:5432/name`; may hold a password, which no message ever shows. */
  readonly url: string;
  readonly password?: string | undefined;
}

export interface ConnectOptions extends DatabaseAddress {
  readonly clock: Clock;
  /** Connections that read rows beside the one that pins. */
  readonly readers?: number | undefined;
  /** The `pg_dump` to use; default: the best one found. `null`: never, read the catalogs instead. */
  readonly pgDump?: string | null | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For tests that must be able to fail: another transaction id than the base's xmin, from which on rows count as new. */
  readonly weakenedThreshold?:
    | ((base: { readonly xmin: bigint; readonly xmax: bigint }) => bigint)
    | undefined;
}

/** An earlier snapshot's database, and what its manifest says about the view that it was read from. */
export interface DatabaseBase {
  readonly source: ChunkSource;
  readonly root: ListingRoot;
  readonly xmin: bigint;
  readonly xmax: bigint;
  readonly lsn: string;
  /** False: nothing of it is used. */
  readonly publishable: boolean;
  /** Whether a new snapshot may depend on a chunk. */
  has(id: ChunkId, chunkClass: ChunkClass): boolean;
}

/** Keeps what was learnt of stored rows: a row's id is a hash of what it describes, so none can be out of date. */
export interface TableCache {
  /** Undefined: not there, or damaged. Never rejects. */
  get(kind: 'table', id: Uint8Array): Promise<Uint8Array | undefined>;
  /** Copies the bytes. */
  put(kind: 'table', id: Uint8Array, bytes: Uint8Array): void;
  /** The row will be wanted again, though not now. Where it is missing the row is read instead. */
  keep?(kind: 'table', id: Uint8Array): void;
}

/** What is known before the lock. Sizes in bytes. */
export interface DatabaseFacts {
  readonly database: string;
  readonly serverVersion: string;
  /** `150020` and the like. */
  readonly serverVersionNumber: number;
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly encoding: string;
  readonly tables: number;
  readonly sequences: number;
  /** Heap, TOAST and large objects: what a first backup will read. */
  readonly bytes: number;
  /** `pg_dump 15.20` or `catalog`. */
  readonly ddlSource: string;
}

/** The view that later writes do not change. */
export interface DatabasePin {
  /** PostgreSQL's own name of it; valid while the pin holds. */
  readonly exportedSnapshot: string;
  readonly backendPid: number;
  /** `0/1A2B3C4D`. */
  readonly lsn: string;
  readonly xmin: bigint;
  readonly xmax: bigint;
  readonly tables: number;
  readonly sequences: number;
  /** False: something was defined between prepare and pin, so the definitions are read again after the unlock. */
  readonly definitionsReused: boolean;
  readonly pinMs: number;
}

export interface DatabaseProgress {
  readonly tablesDone: number;
  readonly tablesTotal: number;
  readonly rows: number;
  /** Row bytes read or written so far. */
  readonly bytes: number;
  /** An estimate: heap and TOAST size. */
  readonly bytesTotal: number;
}

/** What a finished copy is, for the manifest and the summary. */
export interface DatabaseResult {
  readonly root: ListingRoot;
  readonly database: string;
  readonly tables: number;
  readonly rows: number;
  readonly segments: number;
  /** Segments that are not the base's own: rows of them were read from the server, before the lock or after it. */
  readonly changedSegments: number;
  /** Bytes of COPY text that the segments refer to. */
  readonly bytes: number;
  /** Bytes of COPY text that came from the server, the pre-copy's included. */
  readonly readBytes: number;
  readonly largeObjects: number;
  readonly serverVersion: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly exportedSnapshot: string;
  readonly lsn: string;
  readonly xmin: bigint;
  readonly xmax: bigint;
  readonly catalogFingerprint: string;
  readonly ddlSource: string;
  /** True once everything up to the pin is on the server's disk: a later backup may build on this one. */
  readonly publishable: boolean;
  readonly warnings: readonly string[];
}

export interface FinishOptions {
  readonly sink: ChunkSink;
  /** Gives what the sink took, and what the base refers to. */
  readonly source: ChunkSource;
  readonly cuts: Cuts;
  /** 16 bytes: the store's key for row digests. */
  readonly digestKey: Uint8Array;
  readonly cache?: TableCache | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: DatabaseProgress) => void) | undefined;
}

export interface PrecopyOptions extends FinishOptions {
  /** `new`: tables that no base gives; `all`: what changed in the others, too, so that the pin finds little left. */
  readonly mode: 'new' | 'all';
}

/** What was read and stored before the lock. */
export interface DatabasePrecopied {
  readonly segments: number;
  readonly rows: number;
  /** Row bytes, as COPY text. */
  readonly bytes: number;
}

/** What a backup would read now. */
export interface DatabaseEstimate {
  readonly tables: number;
  /** Of blocks that changed since the base, and of tables without one. */
  readonly bytes: number;
  readonly changedTables: number;
  readonly changedSegments: number;
  readonly segments: number;
}

/** A client session of the database that is none of this source's. */
export interface OtherSession {
  readonly pid: number;
  readonly user: string;
  /** What it calls itself; empty when it does not say. */
  readonly application: string;
  /** Where it comes from; empty for a socket of the server's own host, or when it may not be seen. */
  readonly address: string;
}

/**
 * One database, backed up once: connect → prepare → [precopy] → (lock) pin → holds → (unlock) finish → dispose.
 * Errors: DATABASE_UNREACHABLE, DATABASE_UNSUPPORTED, DATABASE_RIGHTS, DATABASE_FAILED; the store's pass through.
 */
export interface DatabaseSource extends AsyncDisposable {
  /** Before the lock: rights, version, list of tables, definitions; what of the base can be used. */
  prepare(options?: {
    readonly base?: DatabaseBase | null | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<DatabaseFacts>;
  /** Before the lock, live: reads and stores rows from a view of its own; finish then reads what changed since. */
  precopy(options: PrecopyOptions): Promise<DatabasePrecopied>;
  /** Counts what a backup would read. Reads no rows, stores nothing. */
  estimate(options: {
    readonly source: ChunkSource;
    readonly cache?: TableCache | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<DatabaseEstimate>;
  /** In the window, milliseconds: holds the view that finish reads. */
  pin(options?: { readonly signal?: AbortSignal | undefined }): Promise<DatabasePin>;
  /** The fence: true if the very backends that pinned still hold that view. Never throws. */
  holds(): Promise<boolean>;
  /** Who else is connected now: nobody is while the application is stopped. At any time. */
  otherSessions(): Promise<readonly OtherSession[]>;
  /** After the unlock: definitions, rows, sequences, large objects into one listing. */
  finish(options: FinishOptions): Promise<DatabaseResult>;
}

/** Where to restore, and what: the same snapshot again clears what a killed restore of it left. */
export interface DatabaseTarget extends DatabaseAddress {
  readonly snapshot: SnapshotId;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

export interface RestoreDatabaseOptions extends DatabaseTarget {
  readonly source: ChunkSource;
  readonly root: ListingRoot;
  readonly digestKey: Uint8Array;
  /** True: rows are missing, so keys that refer to them cannot be made. */
  readonly lacksRows?: boolean | undefined;
  /** Connections that load tables; default 2. */
  readonly writers?: number | undefined;
  /** Called when all is there and proven, before the mark of an unfinished restore is taken off. */
  readonly onFilled?: (() => Promise<void>) | undefined;
  readonly onProgress?: ((progress: DatabaseProgress) => void) | undefined;
}

export interface RestoredDatabase {
  readonly database: string;
  readonly tables: number;
  readonly rows: number;
  readonly verified: true;
  readonly warnings: readonly string[];
}
