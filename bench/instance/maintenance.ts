import type { Clock, Randomness } from '../../store/index.ts';
import { hex } from '../../store/index.ts';
import type { DrainState, Gate } from './gate.ts';

/** One instant by the instance's own two clocks, in ms. */
export interface Instant {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

/** One lock from its begin to its end, by the instance's own clock. */
export interface LatchRecord {
  readonly locked: Instant;
  /** The backup task began; nothing new enters, background work included. */
  latched: Instant | null;
  /** Both sides came to rest. */
  drained: Instant | null;
  /** The backup task ended (progress 100, cancel, failure, unlock): background work goes on. */
  unlatched: Instant | null;
  /** The call that unlocked arrived. */
  unlocked: Instant | null;
  readonly progress: { readonly at: Instant; readonly percentage: number }[];
  end: 'unlocked' | 'restarted' | null;
}

export type TaskState = 'RUNNING' | 'SUCCESSFUL' | 'FAILED' | 'CANCELED';

export interface BackupTask {
  readonly id: string;
  readonly cancelToken: string;
  state: TaskState;
  /** The client's share, 0–100. */
  percentage: number;
}

export interface MaintenanceStatus {
  readonly task: BackupTask | null;
  readonly db: DrainState;
  readonly scm: DrainState;
}

/** What the maintenance calls do; the HTTP of them is in `maintenance-http.ts`. */
export class Maintenance {
  readonly #gate: Gate;
  readonly #clock: Clock;
  readonly #randomness: Randomness;
  readonly #latches: LatchRecord[] = [];
  #token: string | null = null;
  #task: BackupTask | null = null;

  constructor(parts: { readonly gate: Gate; readonly clock: Clock; readonly randomness: Randomness }) {
    this.#gate = parts.gate;
    this.#clock = parts.clock;
    this.#randomness = parts.randomness;
  }

  /** Every lock so far, the newest last. */
  get latches(): readonly Readonly<LatchRecord>[] {
    return this.#latches;
  }
  get isLocked(): boolean {
    return this.#token !== null;
  }

  now(): Instant {
    return { monotonicMs: this.#clock.monotonicMs(), wallMs: this.#clock.nowMs() };
  }

  /** The unlock token, or null where it is locked already. */
  lock(): string | null {
    if (this.#token !== null) return null;
    this.#token = this.#newToken();
    this.#task = null;
    this.#gate.lock();
    const fresh = { latched: null, drained: null, unlatched: null, unlocked: null, progress: [], end: null };
    this.#latches.push({ locked: this.now(), ...fresh });
    return this.#token;
  }

  /** The running task, or null where the lock is not this token's or a backup runs. */
  startBackup(token: string | null): BackupTask | null {
    if (this.#token === null || token !== this.#token || this.#task?.state === 'RUNNING') return null;
    this.#task = { id: this.#newToken(), cancelToken: this.#newToken(), state: 'RUNNING', percentage: 0 };
    const latch = this.#current();
    latch.latched = this.now();
    latch.unlatched = null;
    this.#gate.latch(() => {
      latch.drained = this.now();
    });
    return this.#task;
  }

  status(): MaintenanceStatus {
    return { task: this.#task, db: this.#gate.state('db'), scm: this.#gate.state('scm') };
  }

  /** False where no backup of this token runs. */
  progress(token: string | null, percentage: number): boolean {
    if (this.#token === null || token !== this.#token || this.#task?.state !== 'RUNNING') return false;
    this.#task.percentage = percentage;
    this.#current().progress.push({ at: this.now(), percentage });
    if (percentage >= 100) this.endTask('SUCCESSFUL');
    return true;
  }

  cancel(token: string | null): boolean {
    if (this.#task === null || token !== this.#task.cancelToken || this.#task.state !== 'RUNNING')
      return false;
    this.endTask('CANCELED');
    return true;
  }

  /** Ends a running backup task and un-latches; the lock stays. */
  endTask(state: Exclude<TaskState, 'RUNNING'>): void {
    if (this.#task?.state !== 'RUNNING') return;
    this.#task.state = state;
    this.#current().unlatched = this.now();
    this.#gate.unlatch();
  }

  unlock(token: string | null): 'unlocked' | 'not-locked' | 'wrong-token' {
    const received = this.now();
    if (this.#token === null) return 'not-locked';
    if (token !== this.#token) return 'wrong-token';
    this.#current().unlocked = received;
    this.#release('unlocked');
    return 'unlocked';
  }

  /** What a restart does: the lock, its token and the task are forgotten. */
  forget(): void {
    if (this.#token !== null) this.#release('restarted');
    this.#task = null;
  }

  #release(end: 'unlocked' | 'restarted'): void {
    this.endTask('CANCELED');
    this.#current().end = end;
    this.#token = null;
    this.#gate.unlock();
  }

  #current(): LatchRecord {
    const latch = this.#latches.at(-1);
    if (!latch) throw new Error('Cannot record: nothing was ever locked');
    return latch;
  }

  #newToken(): string {
    return hex(this.#randomness.bytes(20));
  }
}
