import type { Side, Ticket } from './gate.ts';

/** What a request is for. */
export type Route =
  | 'lock'
  | 'unlock'
  | 'backup'
  | 'status'
  | 'progress'
  | 'cancel'
  | 'properties'
  | 'git'
  | 'web';

/** What the instance does instead of, or besides, what it should. */
export type Misbehaviour =
  /** An HTML page, as a proxy or a login form gives; 200 unless told. */
  | { readonly kind: 'html'; readonly status?: number }
  | { readonly kind: 'redirect'; readonly to?: string }
  /** 204 without a body. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** The right status with this body, as JSON. */
  | { readonly kind: 'body'; readonly body: unknown }
  /** The right answer, every token in it null. */
  | { readonly kind: 'no-token' }
  /** Waits, then goes on as it should (with `effect`: acts first, answers late). */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Keeps the request until it is let go, then goes on with what else it meets; a restart drops it. */
  | { readonly kind: 'hold' }
  /** Takes the request and never answers. */
  | { readonly kind: 'hang' }
  /** Sends the head and half of the body, then nothing. */
  | { readonly kind: 'stall' }
  /** Closes the connection with a reset. */
  | { readonly kind: 'drop' }
  /** The backup task ends by itself; then the request is served as it should. */
  | { readonly kind: 'end-task'; readonly state: 'FAILED' | 'CANCELED' }
  /** Something stays under way for good (or for some ms); then the request is served as it should. */
  | { readonly kind: 'hold-drain'; readonly sides?: readonly Side[]; readonly ms?: number }
  /** Every connection closes, the lock is forgotten; back on the same port after `downMs`. */
  | { readonly kind: 'restart'; readonly downMs?: number };

export interface Fault {
  readonly route: Route | 'any';
  readonly misbehave: Misbehaviour;
  /** Requests of the route to serve well first; 0 unless told. */
  readonly skip?: number;
  /** How many requests to spoil; all unless told. */
  readonly times?: number;
  /** The request takes effect before it is spoilt: a lock whose answer is lost. False unless told. */
  readonly effect?: boolean;
}

/** The faults in force. Each counts its own requests; several may meet in one request and act in the order added. */
export class Faults {
  readonly #active = new Set<{ readonly fault: Fault; seen: number }>();
  readonly #held = new Set<Ticket>();
  readonly #kept = new Set<(how: 'let go' | 'dropped') => void>();

  /** Returns what takes it back. */
  add(fault: Fault): () => void {
    const entry = { fault, seen: 0 };
    this.#active.add(entry);
    return () => void this.#active.delete(entry);
  }

  /** Takes all back, and lets go of what a `hold-drain` holds. */
  clear(): void {
    this.#active.clear();
    this.releaseHeld();
  }

  /** Keeps a drain from ending until it is released. */
  hold(ticket: Ticket): void {
    this.#held.add(ticket);
  }

  releaseHeld(): void {
    for (const ticket of this.#held) ticket.release();
    this.#held.clear();
  }

  /** How many requests a `hold` keeps now. */
  get kept(): number {
    return this.#kept.size;
  }

  /** Resolves when the request is let go, or dropped. */
  keep(): Promise<'let go' | 'dropped'> {
    return new Promise(resolve => this.#kept.add(resolve));
  }

  endKept(how: 'let go' | 'dropped'): void {
    for (const resolve of this.#kept) resolve(how);
    this.#kept.clear();
  }

  /** The faults that this request meets; counts it. */
  meet(route: Route): Fault[] {
    const met: Fault[] = [];
    for (const entry of this.#active) {
      const { fault } = entry;
      if (fault.route !== 'any' && fault.route !== route) continue;
      const turn = entry.seen - (fault.skip ?? 0);
      entry.seen += 1;
      if (turn >= 0 && turn < (fault.times ?? Number.POSITIVE_INFINITY)) met.push(fault);
    }
    return met;
  }
}
