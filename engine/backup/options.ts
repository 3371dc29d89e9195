import type { BackupSession, Seams, SnapshotId, Store } from '../../store/index.ts';
import type { Application, BitbucketAccess } from '../app/index.ts';
import type { CommandRecord } from '../command/index.ts';
import type { DatabaseAddress, DatabaseAudit, PostgresOptions } from '../database/index.ts';
import type { HomeOptions, HomeSettings } from '../home/index.ts';
import type { Hooks } from '../hooks.ts';
import type { FenceRecord, Forecast, LatchToken, Patience } from '../latch/index.ts';
import type { InternalFile, PairedDatabase, PairedHome } from '../pair.ts';
import type { OnPhase, OnProgress } from '../progress.ts';
import type { Freeze } from '../view/index.ts';
import type { AuditOptions } from './audit.ts';

/** Where a test reaches into a run: the start of each phase, and how files are told apart. */
export interface BackupSeams {
  readonly onPhase?: OnPhase;
  readonly home?: Partial<Pick<HomeOptions, 'isSame' | 'statSeam' | 'fileSystemSeam' | 'readSeam'>>;
  /** Makes wrong bases, for what must find them. */
  readonly database?: Pick<PostgresOptions, 'weakenedThreshold'>;
  /** How long lock and unlock are tried; a minute is too long for a test. */
  readonly patience?: Partial<Patience>;
  /** How long one call of the application may take. */
  readonly timeouts?: BitbucketAccess['timeouts'];
}

export type HoldUntil = 'captured' | 'durable';

export interface BackupOptions {
  readonly store: Store;
  readonly seams: Seams;
  readonly instance: string;
  readonly host: string;
  readonly tags: readonly string[];
  /** The program's version, for the manifest. */
  readonly program: string;
  /** The configuration as JSON without secrets, for the manifest. */
  readonly configuration: string;
  readonly home: (HomeSettings & BackupSeams['home'] & { readonly freeze?: Freeze | undefined }) | null;
  readonly database: DatabaseAddress | null;
  readonly app: Application;
  readonly latch: {
    readonly stateDir: string;
    readonly drainTimeoutMs: number;
    readonly maxHoldMs: number;
    readonly patience?: Partial<Patience> | undefined;
  };
  readonly hooks: Hooks;
  /** Where commands of the administrator run; else where this process does. */
  readonly folder?: string | undefined;
  /** When the application is unlocked: as soon as the state is captured, or not before all of it is durable. */
  readonly holdUntil: HoldUntil;
  /** Absent: never. */
  readonly audit?: AuditOptions | undefined;
  /** How long another run, or somebody else's lock, is waited for. */
  readonly waitMs: number;
  /** Where the cache is; absent: none is used. */
  readonly cacheDir?: string | undefined;
  readonly signal: AbortSignal;
  readonly onPhase: OnPhase;
  readonly onProgress: OnProgress;
  readonly onToken: (token: LatchToken) => void;
  /** Hears at once what the summary of a run that fails cannot tell. */
  readonly onWarning: (text: string) => void;
}

export interface BackupSummary {
  readonly snapshot: SnapshotId;
  readonly parent: SnapshotId | null;
  /** The instant of the pair, ms since 1970 UTC. */
  readonly timeMs: number;
  readonly durationMs: number;
  readonly fence: FenceRecord;
  readonly forecast: Forecast;
  readonly home: PairedHome | null;
  readonly database: PairedDatabase | null;
  readonly internal?: readonly InternalFile[];
  /** Null: there was none. */
  readonly audit: DatabaseAudit | null;
  readonly stored: BackupSession['written'];
  readonly warnings: readonly string[];
  readonly commands: readonly CommandRecord[];
  /** What went wrong beside the pair, which is whole: hooks after the unlock, views that are not dropped. */
  readonly failures: readonly string[];
}
