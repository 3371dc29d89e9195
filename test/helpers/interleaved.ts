import type { Backend } from '../../store/index.ts';

/** Numbers from 0 to below 1 that depend on the seed alone (mulberry32). */
export function chances(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Actor {
  readonly waiting: (() => void)[];
  /** So many calls it still makes; then it is dead, and nothing that it awaits ever comes back. */
  callsLeft: number;
  isOver: boolean;
}

/**
 * Runs several parties over one medium, one call at a time: before each call of any of them a seeded choice says who is
 * next. Each sees the medium through a view of its own.
 */
export class Interleaving {
  readonly #actors: Actor[] = [];
  readonly #chance: () => number;
  readonly #switchShare: number;

  constructor(seed: number) {
    this.#chance = chances(seed);
    // Some schedules change hands at every call, others let each go on for long.
    this.#switchShare = 0.05 + 0.6 * this.#chance();
  }

  /** A number from 0 to below count. */
  choose(count: number): number {
    return Math.floor(this.#chance() * count);
  }

  /** Adds a party. With `dies`, it is killed before its call of that number. Answers whether it is done or dead. */
  add(
    medium: Backend,
    work: (view: Backend) => Promise<void>,
    { dies = Number.POSITIVE_INFINITY }: { readonly dies?: number | undefined } = {},
  ): () => boolean {
    const actor: Actor = { waiting: [], callsLeft: dies, isOver: false };
    this.#actors.push(actor);
    const view = viewOf(medium, () => this.#turn(actor));
    void this.#turn(actor)
      .then(() => work(view))
      .finally(() => {
        actor.isOver = true;
      });
    return () => actor.isOver;
  }

  /** Until everybody is done or dead. */
  async run(): Promise<void> {
    let current: Actor | undefined;
    for (;;) {
      await settled();
      const alive = this.#actors.filter(({ isOver }) => !isOver);
      if (alive.length === 0) return;
      const ready = alive.filter(({ waiting }) => waiting.length > 0);
      if (ready.length === 0) continue; // in the middle of something that is no call
      if (current === undefined || !ready.includes(current) || this.#chance() < this.#switchShare)
        current = ready[this.choose(ready.length)]!;
      if (current.callsLeft-- > 0) current.waiting.shift()!();
      else current.isOver = true;
    }
  }

  #turn(actor: Actor): Promise<void> {
    return new Promise(resolve => actor.waiting.push(resolve));
  }
}

/** Everything that can go on without another call has gone on. */
function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}

function viewOf(medium: Backend, turn: () => Promise<void>): Backend {
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    await turn();
    return work();
  };
  return {
    location: medium.location,
    put: (name, bytes, options) => inTurn(() => medium.put(name, bytes, options)),
    sync: async () => undefined,
    get: (name, options) => inTurn(() => medium.get(name, options)),
    async *list(prefix, options) {
      await turn();
      const listed = [];
      for await (const object of medium.list(prefix, options)) listed.push(object);
      yield* listed;
    },
    delete: (name, options) => inTurn(() => medium.delete(name, options)),
    close: async () => undefined,
  };
}
