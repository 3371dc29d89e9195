import type { Clock } from '../../store/index.ts';
import type { Application, SessionsSource } from '../app/index.ts';
import type { CommandRecord } from '../command/index.ts';
import type { StartSentinel } from './sentinel.ts';

export type LatchPhase = 'lock' | 'drain' | 'capture' | 'fence' | 'unlock';

/** A token that a person may need while the application is held: printed on purpose. */
export interface LatchToken {
  readonly kind: 'unlock' | 'cancel';
  readonly token: string;
  /** The call that uses it, without the password. */
  readonly command: string;
  /** The application's page, which asks for the cancel token. */
  readonly page: string;
}

export interface LatchOptions {
  readonly app: Application;
  readonly stateDir: string;
  readonly instance: string;
  /** From the start of the backup task until both halves are at rest. */
  readonly drainTimeoutMs: number;
  /** From the lock call: past it the application is unlocked, whatever the program does. */
  readonly maxHoldMs: number;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  /** Called, and waited for, when a phase begins. A failure fails the run; on the way out of a failed run it is ignored. */
  readonly onPhase?: (phase: LatchPhase) => void | Promise<void>;
  readonly onToken?: (token: LatchToken) => void;
  /** Told, in order, of the administrator's commands that ran to a good end for this latch. */
  readonly onCommand?: (record: CommandRecord) => void;
  /** Where a stopped application would have sessions; absent: it has no database. */
  readonly database?: SessionsSource | null;
  readonly patience?: Partial<Patience> | undefined;
  /** A seam for tests; else a process of its own. */
  readonly startSentinel?: StartSentinel;
}

export interface Patience {
  /** How long a lock call whose outcome is unknown is looked into. */
  readonly lockMs: number;
  /** How long the program tries to unlock before it fails with APP_STILL_LOCKED. */
  readonly unlockMs: number;
  /** How long the sentinel goes on after that, or after the program's death. */
  readonly sentinelMs: number;
}

const patienceDefault: Patience = { lockMs: 15_000, unlockMs: 60_000, sentinelMs: 24 * 3_600_000 };

export function patienceOf(options: Pick<LatchOptions, 'patience'>): Patience {
  return { ...patienceDefault, ...options.patience };
}
