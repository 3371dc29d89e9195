import { type Role, type Step, stepsOf } from '../../bench/beside/steps.ts';
import { type Backend, type Clock, storeError } from '../../store/index.ts';
import { PartyClock } from './clock.ts';

/** Numbers from 0 to below 1 that depend on the seed alone (mulberry32). */
function chances(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What every error of a schedule's own says. */
export const faultText = 'a fault of the schedule';

/** What befalls a party at its call of that number, from 1. */
export type Trouble =
  /** It is killed before the call: nothing that it awaits ever comes back. */
  | { readonly kind: 'dies'; readonly at: number }
  /** It makes no call for so many turns of others, who may count it dead. */
  | { readonly kind: 'sleeps'; readonly at: number; readonly turns: number }
  /** The call fails, having done nothing or all of it. */
  | { readonly kind: 'fails'; readonly at: number; readonly when: 'before' | 'after' };

export interface Party {
  readonly role: Role;
  readonly troubles: readonly Trouble[];
  isDead: boolean;
  isOver: boolean;
  /** Where it is, or was when it died. */
  step: Step;
  /** Calls so far. */
  calls: number;
}

interface Actor extends Party {
  readonly waiting: (() => void)[];
  readonly tell: ReturnType<typeof stepsOf>;
  readonly clock: PartyClock;
  sleepsUntil: number;
}

/** What happened on the medium: a call that took effect. */
export interface Happening {
  readonly party: Party;
  readonly operation: 'put' | 'delete';
  readonly name: string;
}

/**
 * Runs several parties over one medium, one call at a time: before each call of any of them a seeded choice says who is
 * next. Each sees the medium through a view of its own, and the time by a clock that moves on with these choices.
 */
export class Stage {
  readonly #actors: Actor[] = [];
  readonly #chance: () => number;
  readonly #switchShare: number;
  readonly #onHappening: (happening: Happening) => void;
  #turns = 0;

  constructor(seed: number, onHappening: (happening: Happening) => void) {
    this.#chance = chances(seed);
    // Some schedules change hands at every call, others let each go on for long.
    this.#switchShare = 0.05 + 0.6 * this.#chance();
    this.#onHappening = onHappening;
  }

  add(
    medium: Backend,
    { role, troubles }: Pick<Party, 'role' | 'troubles'>,
    work: (seen: { readonly view: Backend; readonly clock: Clock; readonly party: Party }) => Promise<void>,
  ): Party {
    const actor: Actor = {
      role,
      troubles,
      tell: stepsOf(role),
      clock: new PartyClock(),
      waiting: [],
      isDead: false,
      isOver: false,
      step: 'session',
      calls: 0,
      sleepsUntil: 0,
    };
    this.#actors.push(actor);
    const view = this.#viewOf(medium, actor);
    void this.#turn(actor)
      .then(() => work({ view, clock: actor.clock, party: actor }))
      .finally(() => {
        actor.isOver = true;
      });
    return actor;
  }

  /** Until everybody is done or dead. */
  async run(): Promise<void> {
    let current: Actor | undefined;
    for (;;) {
      await settled();
      const alive = this.#actors.filter(({ isOver, isDead }) => !isOver && !isDead);
      if (alive.length === 0) return;
      const turn = this.#turns + 1;
      const ready = alive.filter(({ waiting, sleepsUntil }) => waiting.length > 0 && sleepsUntil <= turn);
      if (ready.length === 0) {
        // Nobody acts before the first of them wakes; or one is in the middle of something that is no call.
        const wakes = alive.map(({ waiting, clock, sleepsUntil }) =>
          waiting.length > 0 ? sleepsUntil : Math.max(clock.wakesAt ?? 0, sleepsUntil),
        );
        if (!wakes.includes(0)) this.#passTo(Math.min(...wakes), alive);
        continue;
      }
      this.#passTo(turn, alive);
      if (current === undefined || !ready.includes(current) || this.#chance() < this.#switchShare)
        current = ready[Math.floor(this.#chance() * ready.length)]!;
      this.#wake(current);
    }
  }

  #passTo(turn: number, alive: readonly Actor[]): void {
    this.#turns = turn;
    for (const { clock, sleepsUntil } of alive) if (sleepsUntil <= turn) clock.moveTo(turn);
  }

  /** The next call of the party goes on, unless something befalls it. */
  #wake(actor: Actor): void {
    const number = actor.calls + 1;
    const trouble = actor.troubles.find(({ kind, at }) => kind !== 'fails' && at === number);
    if (trouble?.kind === 'sleeps' && actor.sleepsUntil === 0) {
      actor.sleepsUntil = this.#turns + trouble.turns;
      return;
    }
    if (trouble?.kind === 'dies') {
      actor.isDead = true;
      return;
    }
    actor.calls = number;
    actor.sleepsUntil = 0;
    actor.waiting.shift()!();
  }

  #turn(actor: Actor): Promise<void> {
    return new Promise(resolve => actor.waiting.push(resolve));
  }

  #viewOf(medium: Backend, actor: Actor): Backend {
    const inTurn = async <T>(
      operation: 'put' | 'get' | 'list' | 'delete',
      name: string,
      work: () => Promise<T>,
    ): Promise<T> => {
      await this.#turn(actor);
      actor.step = actor.tell({ operation, name });
      const at = actor.calls;
      const fault = actor.troubles.find(trouble => trouble.kind === 'fails' && trouble.at === at);
      const failure = () =>
        storeError(
          operation === 'put' || operation === 'delete' ? 'STORE_WRITE_FAILED' : 'STORE_READ_FAILED',
          `Cannot ${operation} ${name}: ${faultText}`,
        );
      if (fault?.kind === 'fails' && fault.when === 'before') throw failure();
      const result = await work();
      if (operation === 'delete' || (operation === 'put' && result === 'created'))
        this.#onHappening({ party: actor, operation, name });
      if (fault !== undefined) throw failure();
      return result;
    };
    return {
      location: medium.location,
      put: (name, bytes, options) => inTurn('put', name, () => medium.put(name, bytes, options)),
      sync: async () => undefined,
      get: (name, options) => inTurn('get', name, () => medium.get(name, options)),
      async *list(prefix, options) {
        yield* await inTurn('list', prefix, async () => {
          const listed = [];
          for await (const object of medium.list(prefix, options)) listed.push(object);
          return listed;
        });
      },
      delete: (name, options) => inTurn('delete', name, () => medium.delete(name, options)),
      close: async () => undefined,
    };
  }
}

/** Everything that can go on without another call has gone on. */
function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
