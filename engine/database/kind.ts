import type { ChunkSource, Entry, ListingRoot } from '../../store/index.ts';
import type { FileTarget } from '../export/archive.ts';
import type { Snapshot } from '../pair.ts';
import type { Losses, Salvage } from '../repair/losses.ts';
import type {
  BaseAccess,
  ConnectOptions,
  DatabaseAddress,
  DatabaseBase,
  DatabaseCounts,
  DatabaseSource,
  DatabaseTarget,
  RestoreDatabaseOptions,
  RestoredDatabase,
  SqlOptions,
} from './database.ts';
import type { DatabaseMarks, KnownMarks, MarksCodec } from './marks.ts';

/** A database as a manifest has it: what every kind counts, and the marks of its own. */
export type StoredDatabase<Marks extends DatabaseMarks = DatabaseMarks> = DatabaseCounts & {
  readonly listing: ListingRoot;
  readonly name: string;
  /** Of the server or of the tool; empty where nobody said. */
  readonly serverVersion: string;
  /** Snapshots since the one whose rows were all read from the server; 0: this one. Absent: nobody counted. */
  readonly backupsSinceAudit?: number | undefined;
} & Marks;

/** One thing that a database holds, for lists and for printing. */
export interface DatabaseItem {
  /** Behind `database:`, `tables/public/comment`. */
  readonly path: string;
  /** `table`, `sequence`, `definitions` and the like. */
  readonly type: string;
  /** Bytes, where that is known without reading them. */
  readonly size?: number;
  readonly rows?: number;
  readonly sequence?: { readonly lastValue: bigint; readonly isCalled: boolean };
  /** What it holds. Each part is valid until the next pull. */
  read(): AsyncIterable<Uint8Array>;
}

/** What a path behind `database:` names: one thing; or all, a group, a schema of a group. */
export type DatabaseThing =
  | { readonly item: DatabaseItem }
  | { readonly item?: never; readonly group: string | undefined; readonly schema: string | undefined };

/** A table, view or other relation that is not as it was. */
export interface TableChange {
  readonly schema: string;
  readonly name: string;
  readonly how: 'added' | 'removed' | 'changed';
  readonly kind: string;
  /** null where it did not exist. */
  readonly rowsBefore: number | null;
  readonly rowsAfter: number | null;
  /** Rows that only one side has; null: too many to be counted. */
  readonly added: number | null;
  readonly removed: number | null;
  readonly isDefinitionChanged: boolean;
}

export interface SequenceChange {
  readonly schema: string;
  readonly name: string;
  /** null where it did not exist. */
  readonly before: bigint | null;
  readonly after: bigint | null;
}

/** What differs between two databases. In memory: as much as there are tables, not rows. */
export interface DatabaseDifference {
  readonly tables: readonly TableChange[];
  readonly sequences: readonly SequenceChange[];
  /** Sections of the definitions whose text is another. */
  readonly definitions: readonly string[];
}

export interface DatabaseDiffOptions {
  readonly before: ListingRoot;
  readonly after: ListingRoot;
  /** 16 bytes, whichever: rows are compared by their hashes under this key. */
  readonly key: Uint8Array;
  readonly signal?: AbortSignal | undefined;
}

/** How a stored database is looked into. */
export interface DatabaseLook {
  /** Folders that it is shown as. */
  readonly groups: readonly string[];
  /** PATH_UNKNOWN. */
  find(
    source: ChunkSource,
    place: { readonly listing: ListingRoot; readonly path: string },
  ): Promise<DatabaseThing>;
  /** What a group holds, in order. */
  items(
    source: ChunkSource,
    place: { readonly listing: ListingRoot; readonly group: string; readonly schema?: string | undefined },
  ): AsyncIterable<DatabaseItem>;
  diff(source: ChunkSource, options: DatabaseDiffOptions): Promise<DatabaseDifference>;
}

export interface DatabaseSalvage extends Salvage {
  readonly losses: Losses;
}

/** What can be restored of a database, and how its listing says so. */
export interface SalvagedDatabase {
  /** False: without what is lost nothing of it can be made. */
  readonly isRestorable: boolean;
  readonly tables: number;
  readonly rows: number;
  readonly segments: number;
  /** The entries of the new listing, in order. */
  entries(): AsyncGenerator<Entry>;
}

export interface ExportDatabaseOptions {
  readonly source: ChunkSource;
  readonly snapshot: Pick<Snapshot, 'id' | 'instance' | 'timeMs' | 'degraded'>;
  readonly stored: StoredDatabase<KnownMarks>;
  readonly signal?: AbortSignal | undefined;
  readonly onTable?: ((rows: number, bytes: number) => void) | undefined;
}

/** How a stored database is written for who has nothing of this program. */
export interface DatabaseExport {
  /** Below `database/`, for the client of its own server. */
  whole(
    target: FileTarget,
    options: ExportDatabaseOptions,
  ): Promise<{ readonly tables: number; readonly rows: number }>;
  /** What a person does with it: a part of a README. */
  instructions(stored: StoredDatabase<KnownMarks>): string;
  /** As CSV files with a description, for any other database. Absent: it has no such form. */
  portable?(
    target: FileTarget,
    options: ExportDatabaseOptions,
  ): Promise<{ readonly tables: number; readonly rows: number }>;
}

/**
 * One kind of database: all that is special to it. A new kind is an entry in kinds.ts, its address in `DatabaseAddress` and
 * its marks in `DatabaseMarks`.
 */
export interface DatabaseKind<
  Marks extends KnownMarks = KnownMarks,
  Address extends DatabaseAddress = DatabaseAddress,
> {
  readonly type: Address['type'];
  /** As people call it: `PostgreSQL`. */
  readonly title: string;
  readonly marks: MarksCodec<Marks>;
  /** For people, markers and hooks: `host:port/name`, without user and password; undefined: it has no address that can be told. */
  nameOf(address: Address): string | undefined;
  connect(options: Address & ConnectOptions): Promise<DatabaseSource<Marks>>;
  /** What a new backup may build on; null: nothing of it. */
  baseOf(stored: StoredDatabase<Marks>, access: BaseAccess): DatabaseBase<Marks> | null;
  /** The same with the marks of a snapshot of which a repair lost rows: no later backup builds on it. */
  withoutBase(marks: StoredDatabase<Marks>): StoredDatabase<Marks>;

  /** Where `restore --database TEXT` restores to, on a machine that is configured so. USAGE. */
  targetOf(text: string, configured?: DatabaseAddress | null): Address;
  /** Refuses a target that holds something, and one that cannot take it. Writes nothing. TARGET_NOT_EMPTY, … */
  checkTarget(
    target: Address & DatabaseTarget & { readonly source?: ChunkSource; readonly root?: ListingRoot },
  ): Promise<void>;
  restore(options: Address & RestoreDatabaseOptions): Promise<RestoredDatabase>;
  /** True: it can restore a part, and to other owners. */
  readonly takesWish?: true;
  /** As a script that the vendor's own program loads. Pieces are good until the next pull. Absent: it has none. */
  sql?(options: SqlOptions): AsyncIterable<Uint8Array | string>;

  /** Whether the listing is what the manifest says: a sentence about what is not, undefined when all is. Reads no rows. */
  check(source: ChunkSource, stored: StoredDatabase<Marks>): Promise<string | undefined>;
  /** What an entry of the listing is, for a person. */
  describeEntry(entry: Entry): string;
  readonly look: DatabaseLook;
  /** Absent: it cannot be exported. */
  readonly exporting?: DatabaseExport;
  salvage(stored: StoredDatabase<Marks>, salvage: DatabaseSalvage): Promise<SalvagedDatabase>;
}
