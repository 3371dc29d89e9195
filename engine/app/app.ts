import type { StillpointError } from '../../store/index.ts';

/**
 * How a pair was held together while it was captured: by the application's own maintenance latch, by commands of the
 * administrator, by the application being stopped, or by nothing at all.
 */
export type FenceKind = 'latched' | 'command' | 'stopped' | 'none';

/** What a manifest says of the application that it was taken from. */
export interface ApplicationFacts {
  readonly type: 'bitbucket' | 'none';
  /** Empty when the application has none to tell. */
  readonly version: string;
  readonly displayName: string;
  /** Where it is, without credentials: the base URL. Empty for `none`. */
  readonly identity: string;
}

/** The backup task inside the application that keeps its writers away. */
export interface BackupTask {
  readonly id: string;
  /** Ends the task from the application's page; null when the application gave none. */
  readonly cancelToken: string | null;
}

/** What the application says of its maintenance now. */
export interface MaintenanceState {
  /** null when no task runs. */
  readonly task: { readonly id: string; readonly state: string } | null;
  readonly databaseState: string;
  readonly homeState: string;
}

/**
 * The outcome of a lock call. `unknown`: it left, and what came back does not say whether it took effect, so that the
 * application must be taken for locked. `refused`: certainly not locked by this call; `occupied` when a lock is there.
 */
export type LockAnswer =
  | { readonly outcome: 'locked'; readonly token: string }
  | { readonly outcome: 'refused'; readonly occupied: boolean; readonly error: StillpointError }
  | { readonly outcome: 'unknown'; readonly error: StillpointError };

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** On a connection of its own: neither waits for the calls under way nor keeps one waiting. */
  readonly aside?: boolean;
}

/** An application with a maintenance latch of its own. Every call fails with APP_UNREACHABLE or APP_REFUSED. */
export interface LatchedApplication {
  readonly type: 'bitbucket';
  readonly fence: 'latched';
  /** The base URL without credentials, for messages and records. */
  readonly location: string;
  /** What another process needs to speak to the same application. Holds the password: never log it. */
  readonly access: BitbucketAccess;
  /** Needs no rights; also opens the connection that the next call uses. */
  describe(options?: CallOptions): Promise<ApplicationFacts>;
  /** Whether the user may log in and administer; locks nothing. */
  checkAccess(options?: CallOptions): Promise<void>;
  /** Takes no signal: a lock call that left must be waited for, since its answer alone holds the token. Never throws. */
  lock(): Promise<LockAnswer>;
  startBackup(token: string, options?: CallOptions): Promise<BackupTask>;
  state(token: string, options?: CallOptions): Promise<MaintenanceState>;
  /** 0…100 of the client's share; 100 ends the task. */
  progress(token: string, report: CallOptions & { readonly percent: number }): Promise<void>;
  /** `lapsed`: the application says that it is not locked with this token (any more). */
  unlock(token: string, options?: CallOptions): Promise<'unlocked' | 'lapsed'>;
  /** Ends the task; the lock stays. */
  cancel(cancelToken: string, options?: CallOptions): Promise<void>;
  /** Whether people are served now, which a locked application does not do. Throws when nobody answers. */
  isServing(options?: CallOptions): Promise<boolean>;
  /** Commands for a person, without the password. */
  readonly manual: {
    unlock(token: string): string;
    cancel(cancelToken: string): string;
  };
  /** Drops its connections. Idempotent. */
  close(): Promise<void>;
}

/** No application to hold: the database is pinned and the home read with nothing kept still between them. */
export interface UnlatchedApplication {
  readonly type: 'none';
  readonly fence: 'none';
  readonly location: string;
  describe(options?: CallOptions): Promise<ApplicationFacts>;
  close(): Promise<void>;
}

/** Told apart by `fence`. Kinds that stop the application or run commands join this union with members of their own. */
export type Application = LatchedApplication | UnlatchedApplication;

export interface BitbucketAccess {
  readonly type: 'bitbucket';
  /** Base URL with its context path, http or https. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly timeouts?: Partial<Timeouts>;
}

export interface Timeouts {
  readonly connectMs: number;
  /** From the request to the answer's first line. */
  readonly headersMs: number;
  /** Between two pieces of an answer's body. */
  readonly bodyMs: number;
  /** As headersMs, for the lock call alone: giving up on it early would lose the token. */
  readonly lockMs: number;
  /** As headersMs, for asking the state: a question that hangs is asked again while people wait. */
  readonly stateMs: number;
}
