/** The two halves that the application drains on its own. */
export type Side = 'db' | 'scm';
export type DrainState = 'AVAILABLE' | 'LATCHED' | 'DRAINED';

/** Work under way; a drain waits for it. */
export interface Ticket {
  /** Idempotent. */
  release(): void;
}

/** The application is in maintenance: over HTTP, the 503 page. */
export class LockedError extends Error {
  constructor() {
    super('Cannot serve: the application is in maintenance');
    this.name = 'LockedError';
  }
}

/**
 * What every write passes. The lock refuses what users ask for; the latch, which comes with a backup, refuses the
 * application's own background work, too, and drains what is under way.
 */
export class Gate {
  readonly #underWay: Record<Side, number> = { db: 0, scm: 0 };
  readonly #waiting = new Set<() => void>();
  #locked = false;
  #latched = false;
  #onDrained: (() => void) | undefined;

  get locked(): boolean {
    return this.#locked;
  }

  /** Throws LockedError where the work must not begin. */
  enter(kind: 'request' | 'background', sides: readonly Side[] = ['db', 'scm']): Ticket {
    if (this.#latched || (this.#locked && kind === 'request')) throw new LockedError();
    return this.#admit(sides);
  }

  /** Work that no gate stops: only a fault does that, so that a drain never ends. */
  enterByForce(sides: readonly Side[]): Ticket {
    return this.#admit(sides);
  }

  lock(): void {
    this.#locked = true;
  }

  /** Closes the gate to all, and calls back (once, at once where nothing is under way) when both sides are drained. */
  latch(onDrained: () => void): void {
    this.#latched = true;
    this.#onDrained = onDrained;
    this.#tellDrained();
  }

  unlatch(): void {
    this.#latched = false;
    this.#onDrained = undefined;
    this.#wake();
  }

  unlock(): void {
    this.#locked = false;
    this.unlatch();
  }

  state(side: Side): DrainState {
    if (!this.#latched) return 'AVAILABLE';
    return this.#underWay[side] === 0 ? 'DRAINED' : 'LATCHED';
  }

  /** Resolves as soon as `kind` may enter again. */
  async whenOpen(kind: 'request' | 'background', signal?: AbortSignal): Promise<void> {
    while ((this.#latched || (this.#locked && kind === 'request')) && !signal?.aborted) {
      await new Promise<void>(resolve => {
        const wake = () => {
          this.#waiting.delete(wake);
          signal?.removeEventListener('abort', wake);
          resolve();
        };
        this.#waiting.add(wake);
        signal?.addEventListener('abort', wake);
      });
    }
    signal?.throwIfAborted();
  }

  #admit(sides: readonly Side[]): Ticket {
    for (const side of sides) this.#underWay[side] += 1;
    let released = false;
    return {
      release: () => {
        if (released) return;
        released = true;
        for (const side of sides) this.#underWay[side] -= 1;
        this.#tellDrained();
      },
    };
  }

  #tellDrained(): void {
    if (!this.#latched || this.#underWay.db + this.#underWay.scm > 0) return;
    this.#onDrained?.();
    this.#onDrained = undefined;
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}
