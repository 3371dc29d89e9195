import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock } from '../../../store/index.ts';
import type { World } from './world.ts';

/** Virtual ms of a file call. */
const fileMs = 0.5;

export type SideName = 'program' | 'sentinel';

/** One wait of a side. The same wait has the same name in every run; `index` counts those of one name. */
export interface Moment {
  readonly side: SideName;
  readonly name: string;
  readonly index: number;
  /** Among all of the run, of both sides. */
  readonly ordinal: number;
  readonly atMs: number;
}

/** Whose code runs: file calls are told by it. */
const current = new AsyncLocalStorage<Side>();

export function currentSide(): Side | undefined {
  return current.getStore();
}

/** Counts the moments of both sides, and tells of each before anything comes of it. */
export class Moments {
  readonly seen: Moment[] = [];
  onMoment: (moment: Moment) => void = () => {};
  readonly #counts = new Map<string, number>();

  note(side: SideName, name: string, atMs: number): void {
    const key = `${side} ${name}`;
    const index = this.#counts.get(key) ?? 0;
    this.#counts.set(key, index + 1);
    const moment = { side, name, index, ordinal: this.seen.length, atMs };
    this.seen.push(moment);
    this.onMoment(moment);
  }
}

/**
 * A process of the run. Everything it waits for comes through here: once it is killed nothing ever comes, and while it
 * is stopped what comes is kept until it goes on.
 */
export class Side {
  readonly name: SideName;
  readonly clock: Clock;
  /** Called once, when it is killed. */
  onDeath: () => void = () => {};
  diedAtMs: number | undefined;
  readonly stops: { readonly fromMs: number; untilMs: number }[] = [];
  readonly #world: World;
  readonly #moments: Moments;
  #stopped = 0;
  #kept: (() => void)[] = [];

  constructor(name: SideName, parts: { readonly world: World; readonly moments: Moments }) {
    this.name = name;
    this.#world = parts.world;
    this.#moments = parts.moments;
    this.clock = {
      ...parts.world.clock(),
      sleep: (ms, signal) => this.wait(`sleep ${callers()}`, { ms, ...(signal ? { signal } : {}) }),
    };
  }

  /** Runs as this side. */
  run<T>(work: () => T): T {
    return current.run(this, work);
  }

  moment(name: string): void {
    this.#moments.note(this.name, name, this.#world.nowMs);
  }

  /** Rejects with the signal's reason when it aborts first. */
  wait(name: string, { ms, signal }: { readonly ms: number; readonly signal?: AbortSignal }): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    this.moment(name);
    return new Promise((resolve, reject) => {
      const abort = () => {
        cancel();
        reject(signal?.reason);
      };
      const cancel = this.#world.after(ms, () =>
        this.resume(() => {
          signal?.removeEventListener('abort', abort);
          resolve();
        }),
      );
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** A call of the file system. */
  file(name: string): Promise<void> {
    const busyMs = Math.max(0, this.#world.diskFreeAtMs - this.#world.nowMs);
    return this.wait(`file ${name}`, { ms: fileMs + busyMs });
  }

  /** Something has come for this side. */
  resume(act: () => void): void {
    if (this.diedAtMs !== undefined) return;
    if (this.#stopped > 0) this.#kept.push(act);
    else act();
  }

  kill(): void {
    if (this.diedAtMs !== undefined) return;
    this.diedAtMs = this.#world.nowMs;
    this.#kept = [];
    this.onDeath();
  }

  stop(ms: number): void {
    if (this.diedAtMs !== undefined) return;
    this.#stopped += 1;
    this.stops.push({ fromMs: this.#world.nowMs, untilMs: this.#world.nowMs + ms });
    this.#world.after(ms, () => {
      this.#stopped -= 1;
      if (this.#stopped > 0) return;
      const kept = this.#kept;
      this.#kept = [];
      for (const act of kept) act();
    });
  }
}

/** The functions that led to a pause, the innermost first: what tells one pause from another. */
function callers(): string {
  const names: string[] = [];
  for (const line of (new Error().stack ?? '').split('\n')) {
    const found = /at (async )?(?:new )?(?:[\w$]+\.)?(#?[\w$]+) \(.*\/engine\//.exec(line);
    if (found?.[1]) break;
    if (found?.[2]) names.push(found[2].replace('#', ''));
  }
  return names.slice(0, 3).join(' < ');
}
