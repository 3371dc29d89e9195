import type { Seams } from '../../store/index.ts';
import type { Acknowledged } from './acknowledged.ts';
import type { Faults } from './faults.ts';
import type { PushRequest } from './hosting.ts';
import type { LatchRecord } from './maintenance.ts';
import type { Account, Call } from './maintenance-http.ts';
import type { WriterCounts, WriterOptions } from './writer.ts';

export interface InstanceOptions {
  /** An empty database, or the one that belongs to the home. */
  readonly databaseUrl: string;
  /** An empty or absent folder, or a home that an instance made; a temporary one unless told, removed by `stop`. */
  readonly home?: string;
  readonly port?: number;
  /** How much to make where the home is new. */
  readonly repositories?: number;
  readonly commitsPerRepository?: number;
  /** Files of the home, about. */
  readonly files?: number;
  /** Rows of the database, about. */
  readonly rows?: number;
  /** Starts at once; else `startWriter`. */
  readonly writer?: WriterOptions;
  /** Where to write the acknowledgements, line by line; outside the home. */
  readonly acknowledgements?: string;
  /** Off: the application writes no log of its own; on unless told. */
  readonly log?: 'on' | 'off';
  /** For content; 1 unless told. */
  readonly seed?: number;
  readonly seams?: Seams;
}

/** The stand-in application at work. */
export interface Instance extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly home: string;
  readonly databaseUrl: string;
  readonly admin: Account;
  readonly faults: Faults;
  /** Every write acknowledged so far, in order. */
  readonly acknowledged: readonly Acknowledged[];
  /** Every lock so far by the instance's own clock, the newest last. */
  readonly latches: readonly Readonly<LatchRecord>[];
  /** The maintenance calls so far. */
  readonly calls: readonly Call[];
  readonly isLocked: boolean;
  readonly repositoryIds: readonly number[];
  /** The instance's monotonic clock. */
  nowMs(): number;
  /** With a name and password, so that a push works at once. */
  cloneUrl(repositoryId: number): string;
  /** One write, as the writer makes them. Rejects with LockedError while locked. */
  push(request: PushRequest): Promise<Acknowledged>;
  repack(repositoryId: number): Promise<void>;
  startWriter(options?: WriterOptions): void;
  stopWriter(): Promise<WriterCounts | null>;
  /** Of the writer that runs, or of the last. */
  readonly counts: WriterCounts | null;
  /** The task ends by itself, as when an administrator cancels it from the page. */
  endTask(state: 'FAILED' | 'CANCELED'): void;
  /** Every connection closes and the lock is forgotten; back on the same port after `downMs`. */
  restart(options?: { readonly downMs?: number }): Promise<void>;
  /** Turns the application's own log on or off. */
  setLog(log: 'on' | 'off'): void;
  /** Idempotent. The home stays unless it was a temporary one; the database stays. */
  stop(): Promise<void>;
}
