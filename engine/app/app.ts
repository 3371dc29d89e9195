import type { StillpointError } from '../../store/index.ts';
import type { Command, CommandRecord } from '../command/index.ts';
import type { DatabaseSource } from '../database/index.ts';

/**
 * How a pair was held together while it was captured: by the application's own maintenance latch, by commands of the
 * administrator, by the application being stopped, or by nothing at all.
 */
export type FenceKind = 'latched' | 'command' | 'stopped' | 'none';

export type ApplicationType = 'bitbucket' | 'command' | 'stopped' | 'none';

/** What a manifest says of the application that it was taken from. */
export interface ApplicationFacts {
  readonly type: ApplicationType;
  /** Empty when the application has none to tell. */
  readonly version: string;
  readonly displayName: string;
  /** Where it is, without credentials: the base URL. Empty when none is known. */
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
  | { readonly outcome: 'locked'; readonly token: string; readonly commands?: readonly CommandRecord[] }
  | { readonly outcome: 'refused'; readonly occupied: boolean; readonly error: StillpointError }
  | { readonly outcome: 'unknown'; readonly error: StillpointError };

/** What is known of a lock before it is made. */
export interface LockIntent {
  /** As it stands in the record; null where the application's answer will bring it. */
  readonly token: string | null;
  /** Past it the application is unlocked anyway. */
  readonly timeoutMs: number;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** On a connection of its own: neither waits for the calls under way nor keeps one waiting. */
  readonly aside?: boolean;
  /** Told of a command of the administrator that ran to a good end for the call. */
  readonly onCommand?: ((record: CommandRecord) => void) | undefined;
}

/**
 * What a lock and its sentinel need of an application, whatever its kind. Every call fails with APP_UNREACHABLE,
 * APP_REFUSED or COMMAND_FAILED.
 */
interface ApplicationLock {
  /** What it is called in messages and records: the base URL without credentials, or the instance. */
  readonly location: string;
  /** Needs no rights; also opens the connection that the next call uses. */
  describe(options?: CallOptions): Promise<ApplicationFacts>;
  /**
   * Whether it looks as if it could be locked and unlocked; locks nothing. What it answered, in words, where that tells
   * neither; APP_REFUSED where it could not.
   */
  checkAccess(options?: CallOptions): Promise<string | undefined>;
  /** A token for the next lock, where it is for this side to choose; null where the application does. */
  newToken(): Promise<string | null>;
  /** How long one lock call takes at most. */
  readonly lockMsMax: number;
  /** Takes no signal: a lock call that left must be waited for, since its answer alone may hold the token. Never throws. */
  lock(intent?: LockIntent): Promise<LockAnswer>;
  /** Ends a lock call of a process that died, where it would go on without it: it must not lock after the unlock. */
  endLock(token: string): Promise<void>;
  /** `lapsed`: the application says that it is not locked with this token (any more). */
  unlock(token: string, options?: CallOptions): Promise<'unlocked' | 'lapsed'>;
  /** Whether people are served now, which a locked application does not do. Throws when nobody answers. */
  isServing(options?: CallOptions): Promise<boolean>;
  /** Drops its connections. Idempotent. */
  close(): Promise<void>;
}

/** An application with a maintenance latch of its own. */
export interface LatchedApplication extends ApplicationLock {
  readonly type: 'bitbucket';
  readonly fence: 'latched';
  /** What another process needs to speak to the same application. Holds the password: never log it. */
  readonly access: BitbucketAccess;
  startBackup(token: string, options?: CallOptions): Promise<BackupTask>;
  state(token: string, options?: CallOptions): Promise<MaintenanceState>;
  /** 0…100 of the client's share; 100 ends the task. */
  progress(token: string, report: CallOptions & { readonly percent: number }): Promise<void>;
  /** Ends the task; the lock stays. */
  cancel(cancelToken: string, options?: CallOptions): Promise<void>;
  /** Commands for a person, without the password. */
  readonly manual: {
    unlock(token: string): string;
    cancel(cancelToken: string): string;
  };
}

/**
 * An application that commands of the administrator lock and unlock. Those of `lock` and `unlock` run to their end
 * whatever is aborted: one that was cut off may have done half of it.
 */
export interface CommandApplication extends ApplicationLock {
  readonly type: 'command';
  readonly fence: 'command';
  /** What another process needs to run the same commands. Holds the program's environment: never log it. */
  readonly access: CommandAccess;
  /** Resolves when the application is at rest: at once where no command tells. */
  wait(token: string, options?: CallOptions): Promise<void>;
  /** Resolves when it is held still, and where no command tells. */
  check(token: string, options?: CallOptions): Promise<void>;
  /** Commands for a person. */
  readonly manual: { unlock(token: string): string };
}

/** An application that is locked while it is captured. */
export type LockableApplication = LatchedApplication | CommandApplication;

/** What a stopped application must not have: sessions in its database. */
export type SessionsSource = Pick<DatabaseSource, 'otherSessions'>;

/** An application that does not run while it is captured: the cold backup. */
export interface StoppedApplication {
  readonly type: 'stopped';
  readonly fence: 'stopped';
  readonly location: string;
  describe(options?: CallOptions): Promise<ApplicationFacts>;
  /**
   * APP_RUNNING, with what was found, unless nothing shows that it runs. Returns what could not be looked at, a sentence
   * each.
   */
  checkStopped(options: {
    readonly database: SessionsSource | null;
    readonly signal: AbortSignal;
  }): Promise<readonly string[]>;
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

/** Told apart by `fence`. */
export type Application = LockableApplication | StoppedApplication | UnlatchedApplication;

/** Whether there is a lock to take, to guard and to release. */
export function isLockable(app: Application): app is LockableApplication {
  return app.fence === 'latched' || app.fence === 'command';
}

/** Whether it must be down while it is captured. */
export function isStopped(app: Application): app is StoppedApplication {
  return app.fence === 'stopped';
}

/** What opens the same application in another process. */
export type ApplicationAccess = LockableApplication['access'];

export interface BitbucketAccess {
  readonly type: 'bitbucket';
  /** Base URL with its context path, http or https. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly timeouts?: Partial<Timeouts>;
}

export interface CommandAccess {
  readonly type: 'command';
  readonly instance: string;
  /** For the commands' environment. */
  readonly home: string | null;
  /** Where the commands run. */
  readonly folder: string;
  /** The program's environment, less its passphrase. */
  readonly env: Readonly<Record<string, string>>;
  readonly lock: Command;
  readonly wait: Command | null;
  readonly check: Command | null;
  readonly unlock: Command;
}

export interface Timeouts {
  /** From the name to the connection, with TLS where there is any. */
  readonly connectMs: number;
  /** From the request to the answer's first line. */
  readonly headersMs: number;
  /** From the answer's first line to the end of its body: one that drips ends, too. */
  readonly bodyMs: number;
  /** As headersMs, for the lock call alone: giving up on it early would lose the token. */
  readonly lockMs: number;
  /** As headersMs, for asking the state: a question that hangs is asked again while people wait. */
  readonly stateMs: number;
}
