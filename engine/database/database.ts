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
import type { CommandRecord } from '../command/index.ts';
import type { CommandAddress } from './command/types.ts';
import type { DatabaseMarks, KnownMarks } from './marks.ts';
import type { MysqlAddress } from './mysql/types.ts';
import type { PostgresAddress } from './postgres/types.ts';

/** Where a database is, and what it is. A union over the kinds, told apart by its type. */
export type DatabaseAddress = PostgresAddress | MysqlAddress | CommandAddress;

export interface ConnectOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  /** Told of each command of the administrator that ran to a good end. */
  readonly onCommand?: ((record: CommandRecord) => void) | undefined;
}

/** What every kind needs of an earlier snapshot to build on its database. */
export interface BaseAccess {
  readonly source: ChunkSource;
  /** Whether a new snapshot may depend on a chunk. */
  has(id: ChunkId, chunkClass: ChunkClass): boolean;
}

/** An earlier snapshot's database, and what its manifest says about the view that it was read from. */
export type DatabaseBase<Marks extends KnownMarks = KnownMarks> = BaseAccess & {
  readonly root: ListingRoot;
} & Marks;

/** Keeps what was learnt of stored rows: a row's id is a hash of what it describes, so none can be out of date. */
export interface TableCache {
  /** Undefined: not there, or damaged. Never rejects. */
  get(kind: 'table', id: Uint8Array): Promise<Uint8Array | undefined>;
  /** Copies the bytes. */
  put(kind: 'table', id: Uint8Array, bytes: Uint8Array): void;
  /** The row will be wanted again, though not now. Where it is missing the row is read instead. */
  keep?(kind: 'table', id: Uint8Array): void;
}

/** What is known before the lock. */
export interface DatabaseFacts {
  readonly database: string;
  readonly serverVersion: string;
  readonly tables: number;
  /** What a first backup will read. */
  readonly bytes: number;
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

/** What a manifest counts of a database of any kind. What a kind has not is 0. */
export interface DatabaseCounts {
  readonly tables: number;
  readonly rows: number;
  readonly segments: number;
  /** Segments that are not the base's own: they were read, before the lock or after it. */
  readonly changedSegments: number;
  /** Bytes that the segments refer to. */
  readonly bytes: number;
}

/** What a finished copy is, for the manifest and the summary. */
export type DatabaseResult<Marks extends KnownMarks = KnownMarks> = DatabaseCounts & {
  readonly root: ListingRoot;
  readonly database: string;
  /** Of the server or of the tool; empty where nobody says. */
  readonly serverVersion: string;
  /** Where it was asked for, and the kind has such a thing. */
  readonly audit?: DatabaseAudit | null | undefined;
  readonly warnings: readonly string[];
} & Marks;

/** All rows were read again from the pin, and compared with what would have been stored. */
export interface DatabaseAudit {
  /** Compared; rows that were read anyway are not among them. */
  readonly rows: number;
  /** By table. The rows of the server are those that were stored. */
  readonly differences: readonly AuditDifference[];
}

/** Rows of a table that were not in the store as the server has them: what was built upon is wrong there. */
export interface AuditDifference {
  /** `schema.table`. */
  readonly table: string;
  readonly rows: number;
  /** Where the first few are, `(block,offset)`; empty where the store cannot give back what it has. */
  readonly places: readonly string[];
}

export interface FinishOptions {
  /** Reads every row again and compares it with the store. */
  readonly audits?: boolean | undefined;
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

/** Where what has to be read inside the window goes; most kinds read nothing there. */
export interface PinOptions {
  readonly sink?: ChunkSink | undefined;
  readonly cuts?: Cuts | undefined;
  readonly signal?: AbortSignal | undefined;
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
export interface DatabaseSource<Marks extends KnownMarks = KnownMarks> extends AsyncDisposable {
  /** Before the lock: rights, version, list of tables, definitions; what of the base can be used. */
  prepare(options?: {
    readonly base?: DatabaseBase<Marks> | null | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<DatabaseFacts>;
  /** Before the lock, live: reads and stores rows from a view of its own; finish then reads what changed since. */
  precopy(options: PrecopyOptions): Promise<DatabasePrecopied>;
  /** Counts what a backup would read. Reads no rows, stores nothing. */
  estimate(options: {
    readonly source: ChunkSource;
    /** Where rows are compared by hashes under it. */
    readonly digestKey?: Uint8Array | undefined;
    readonly cache?: TableCache | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<DatabaseEstimate>;
  /** In the window, milliseconds: holds the view that finish reads. */
  pin(options?: PinOptions): Promise<{ readonly pinMs: number }>;
  /** The fence: true if the very backends that pinned still hold that view. Never throws. */
  holds(): Promise<boolean>;
  /** Who else is connected now: nobody is while the application is stopped. At any time. */
  otherSessions(): Promise<readonly OtherSession[]>;
  /** After the unlock: definitions, rows, sequences, large objects into one listing. */
  finish(options: FinishOptions): Promise<DatabaseResult<Marks>>;
}

/** Whose the restored things are, and whether grants are made. */
export interface DatabaseOwners {
  /** As backed up; whoever restores; or one role for everything. */
  readonly owner: 'keep' | 'restorer' | { readonly role: string };
  /** False: no grants, no default privileges, no settings of single roles. */
  readonly grants: boolean;
}

/** What of a database is restored, and how it differs from what was backed up. */
export interface DatabaseWish {
  readonly owners?: DatabaseOwners | undefined;
  /** Patterns, `schema.name` or `name`, where `*` stands for anything: only these, with what they need. */
  readonly tables?: readonly string[] | undefined;
  /** Patterns: everything in these schemas, with what it needs. */
  readonly schemas?: readonly string[] | undefined;
  /** The database may hold something, which stays as it is: for tables and schemas only. */
  readonly isAlongside?: boolean | undefined;
  /** Old name → new name. */
  readonly tablespaces?: ReadonlyMap<string, string> | undefined;
}

/** A stored database as a script. */
export interface SqlOptions {
  readonly source: ChunkSource;
  readonly root: ListingRoot;
  readonly digestKey: Uint8Array;
  readonly wish?: DatabaseWish | undefined;
  readonly onProgress?: ((progress: { readonly rows: number; readonly bytes: number }) => void) | undefined;
  readonly onWarning?: ((text: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What is restored, beside where: the same snapshot again clears what a killed restore of it left. */
export interface RestoreTarget {
  readonly snapshot: SnapshotId;
  readonly wish?: DatabaseWish | undefined;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

export type DatabaseTarget = DatabaseAddress & RestoreTarget;

/** How a stored database is restored, whatever its kind. */
export interface RestoreFrom {
  readonly source: ChunkSource;
  readonly root: ListingRoot;
  readonly digestKey: Uint8Array;
  /** What the manifest says of it. */
  readonly stored?: DatabaseMarks | undefined;
  /** True: rows are missing, so keys that refer to them cannot be made. */
  readonly lacksRows?: boolean | undefined;
  /** Connections that load tables; default 2. */
  readonly writers?: number | undefined;
  /** Called when all is there and proven, before the mark of an unfinished restore is taken off. */
  readonly onFilled?: (() => Promise<void>) | undefined;
  readonly onProgress?: ((progress: DatabaseProgress) => void) | undefined;
}

export type RestoreDatabaseOptions = DatabaseTarget & RestoreFrom;

export interface RestoredDatabase {
  readonly database: string;
  readonly tables: number;
  readonly rows: number;
  readonly verified: true;
  readonly warnings: readonly string[];
}
