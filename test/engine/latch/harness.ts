import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import type { LatchedApplication } from '../../../engine/app/index.ts';
import { standGuard } from '../../../engine/latch/guard.ts';
import {
  type FenceRecord,
  type LatchOptions,
  type LatchWindow,
  type Released,
  type ReleaseOptions,
  releaseLatches,
  withLatch,
} from '../../../engine/latch/index.ts';
import { type LatchRecord, writeRecord } from '../../../engine/latch/record.ts';
import type { StartSentinel } from '../../../engine/latch/sentinel.ts';
import { armSentinel } from '../../../engine/latch/sentinel-link.ts';
import type { Clock } from '../../../store/index.ts';
import { systemClock } from '../../../store/index.ts';
import { ScriptedApp } from '../app/scripted-app.ts';

const speed = 10;

/** Ten times as fast as the world, so that a test sees a minute of patience end. */
export const fastClock: Clock = {
  nowMs: () => systemClock.nowMs(),
  nowNs: () => systemClock.nowNs(),
  monotonicMs: () => systemClock.monotonicMs() * speed,
  sleep: (ms, signal) => systemClock.sleep(ms / speed, signal),
  every: (ms, work) => systemClock.every(ms / speed, work),
};

/** Real milliseconds: what hangs is given up on after 3 s of the fast clock. */
const timeouts = { connectMs: 2000, headersMs: 300, bodyMs: 300, lockMs: 300, stateMs: 300 };

export interface Outcome {
  readonly error: unknown;
  readonly code: string | undefined;
  readonly result: string | undefined;
  readonly fence: FenceRecord | undefined;
}

type Body = (window: LatchWindow) => Promise<string>;

/**
 * One application, one run of a latch, and a sentinel in this process: either side can die at any moment, which means
 * that nothing it awaits ever comes back, while calls that left take effect all the same.
 */
export class Bench implements AsyncDisposable {
  readonly server: ScriptedApp;
  readonly stateDir: string;
  /** Pauses under way on either side: what is left of them after a run would keep its process alive. */
  sleeping = 0;
  readonly clock: Clock = {
    ...fastClock,
    sleep: async (ms, signal) => {
      this.sleeping += 1;
      try {
        await fastClock.sleep(ms, signal);
      } finally {
        this.sleeping -= 1;
      }
    },
  };
  /** Resolves when the sentinel has nothing left to guard. */
  guard: Promise<void> | undefined;
  readonly #dead = new Set<'program' | 'sentinel'>();
  #writing: Promise<void> | undefined;
  #cutProgram = () => {};
  #cutSentinel = () => {};

  private constructor(server: ScriptedApp, stateDir: string) {
    this.server = server;
    this.stateDir = stateDir;
  }

  static async open(): Promise<Bench> {
    return new Bench(await ScriptedApp.start(), await mkdtemp(path.join(tmpdir(), 'latch-')));
  }

  /** Runs to the end; never settles when the program dies in it. */
  async run(body: Body = async () => 'captured', options: Partial<LatchOptions> = {}): Promise<Outcome> {
    try {
      const { result, fence } = await withLatch(
        {
          app: this.mortal('program'),
          stateDir: this.stateDir,
          instance: 'instance',
          drainTimeoutMs: 10_000,
          maxHoldMs: 20_000,
          clock: this.clock,
          patience: { lockMs: 6_000, unlockMs: 20_000, sentinelMs: 60_000 },
          startSentinel: this.#startSentinel,
          ...options,
        },
        body,
      );
      return { error: undefined, code: undefined, result, fence };
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      return {
        error,
        code: typeof code === 'string' ? code : String(error),
        result: undefined,
        fence: undefined,
      };
    }
  }

  /** What `unlock`, or the next run, does first. */
  async release(options: Partial<ReleaseOptions> = {}): Promise<Released> {
    await this.#writing; // a write that had reached the kernel when its process died
    const { stateDir } = this;
    const app = this.server.client({ timeouts });
    return releaseLatches({ stateDir, instance: 'instance', app, clock: fastClock, ...options });
  }

  die(who: 'program' | 'sentinel'): void {
    this.#dead.add(who);
    if (who === 'program') this.#cutProgram();
    else this.#cutSentinel();
  }

  async records(): Promise<LatchRecord[]> {
    const folder = path.join(this.stateDir, 'latches');
    const all: string[] = await readdir(folder).catch(() => []);
    const names = all.filter(name => name.endsWith('.json')); // others stand for a moment, beside the records
    const texts = await Promise.all(names.map(name => readFile(path.join(folder, name), 'utf8')));
    return texts.map(text => JSON.parse(text) as LatchRecord);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await rm(this.stateDir, { recursive: true });
  }

  /** A client whose answers never come once its owner is dead. */
  mortal(owner: 'program' | 'sentinel'): LatchedApplication {
    const app = this.server.client({ timeouts });
    const dead = this.#dead;
    return new Proxy(app, {
      get(target, key, receiver) {
        const value: unknown = Reflect.get(target, key, receiver);
        if (typeof value !== 'function') return value;
        return async (...values: unknown[]) => {
          if (dead.has(owner)) await forever();
          try {
            return await Reflect.apply(value, target, values);
          } finally {
            if (dead.has(owner)) await forever();
          }
        };
      },
    });
  }

  readonly #startSentinel: StartSentinel = (arms, { clock }) => {
    const input = new PassThrough();
    const output = new PassThrough();
    this.guard = standGuard({
      input,
      output,
      clock: this.clock,
      open: () => this.mortal('sentinel'),
      write: (file, record) => {
        this.#writing = writeRecord(file, record);
        return this.#writing;
      },
    });
    let end: (how: string) => void = () => {};
    const ended = new Promise<string>(resolve => {
      end = resolve;
    });
    void this.guard.then(() => end('ended'));
    this.#cutProgram = () => input.end();
    this.#cutSentinel = () => {
      output.end();
      end('was killed');
    };
    const pipes = { pid: 1, input, output, ended, kill: () => this.die('sentinel'), unref: () => undefined };
    return armSentinel({ ...pipes, input: asPipe(input), output }, { arms, clock });
  };
}

/** Destroying the program's end of a pipe closes it for the reader, as it does between processes. */
function asPipe(input: PassThrough): PassThrough {
  const outer = new PassThrough();
  outer.pipe(input);
  outer.on('close', () => input.end());
  return outer;
}

function forever(): Promise<never> {
  return new Promise(() => undefined);
}
