import type { ListingRoot } from '../../../store/index.ts';
import type {
  BaseAccess,
  ConnectOptions,
  DatabaseAudit,
  DatabaseCounts,
  DatabaseFacts,
  RestoreFrom,
  RestoreTarget,
} from '../database.ts';
import type { PostgresMarks } from '../marks.ts';

/** Where a database is. `password` wins over the URL's; without either, PGPASSWORD and PGPASSFILE count. */
export interface PostgresAddress {
  readonly type: 'postgresql';
  /** `postgresql://user@host:5432/name`; may hold a password, which no message ever shows. */
  readonly url: string;
  readonly password?: string | undefined;
}

export interface PostgresOptions extends PostgresAddress, ConnectOptions {
  /** Connections that read rows beside the one that pins. */
  readonly readers?: number | undefined;
  /** The `pg_dump` to use; default: the best one found. `null`: never, read the catalogs instead. */
  readonly pgDump?: string | null | undefined;
  /** For tests that must be able to fail: another transaction id than the base's xmin, from which on rows count as new. */
  readonly weakenedThreshold?:
    | ((base: { readonly xmin: bigint; readonly xmax: bigint }) => bigint)
    | undefined;
}

/** An earlier snapshot's database. Where it is not publishable nothing of it is used. */
export interface PostgresBase
  extends BaseAccess,
    Pick<PostgresMarks, 'xmin' | 'xmax' | 'lsn' | 'publishable'> {
  readonly root: ListingRoot;
}

/** What is known before the lock. Bytes are those of heap, TOAST and large objects. */
export interface PostgresFacts extends DatabaseFacts {
  /** `150020` and the like. */
  readonly serverVersionNumber: number;
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly encoding: string;
  readonly sequences: number;
  /** `pg_dump 15.20` or `catalog`. */
  readonly ddlSource: string;
}

/** The view that later writes do not change. */
export interface PostgresPin {
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

/** What a finished copy is. Bytes are those of COPY text. */
export interface PostgresResult extends DatabaseCounts, PostgresMarks {
  readonly root: ListingRoot;
  readonly database: string;
  /** Bytes of COPY text that came from the server, the pre-copy's included. */
  readonly readBytes: number;
  readonly largeObjects: number;
  readonly serverVersion: string;
  readonly catalogFingerprint: string;
  readonly ddlSource: string;
  /** Where it was asked for. */
  readonly audit: DatabaseAudit | null;
  readonly warnings: readonly string[];
}

export interface PostgresTarget extends PostgresAddress, RestoreTarget {}

export interface RestorePostgresOptions extends PostgresTarget, RestoreFrom {}
