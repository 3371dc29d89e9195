import type { Readable, Writable } from 'node:stream';
import { type Clock, StillpointError } from '../../store/index.ts';
import type { LockAnswer } from '../app/index.ts';
import { type EngineErrorCode, engineError } from '../errors.ts';
import { pending, settle, within } from '../waiting.ts';
import { lapsed } from './fence.ts';
import { encodeMessage, type FromSentinel, readMessages, type ToSentinel } from './messages.ts';

const startTimeoutMs = 20_000;
const goodbyeMs = 2_000;

/** The program's end of a sentinel. */
export interface Sentinel {
  readonly pid: number;
  /** Aborts when the sentinel ends before it was released, or had to unlock by itself; the reason is the error. */
  readonly lost: AbortSignal;
  /** Has the sentinel make the lock call. LATCH_LAPSED when it dies, or says nothing, before it told the outcome. */
  lock(options: { readonly timeoutMs: number }): Promise<LockAnswer>;
  /** Resolves when the token is on the disk. */
  persisted(): Promise<void>;
  /** Says that nothing is locked any more, and waits a moment for its end. */
  release(): Promise<void>;
  /** Lets go of it: it goes on unlocking by itself. */
  leave(): void;
  /** Ends it by force, when it does not answer. */
  kill(): void;
}

/** Two pipes to whoever stands guard, and the news of its end. */
export interface SentinelPipes {
  readonly pid: number;
  readonly input: Writable;
  readonly output: Readable;
  /** Resolves, with how, once it has ended and all that it said has been read. */
  readonly ended: Promise<string>;
  kill(): void;
  /** Lets the program end while it goes on. */
  unref(): void;
}

/** Hands over everything that is needed to lock and unlock, before anything is locked. */
export async function armSentinel(
  pipes: SentinelPipes,
  { arms, clock }: { readonly arms: Extract<ToSentinel, { type: 'arm' }>; readonly clock: Clock },
): Promise<Sentinel> {
  const link = new SentinelLink(pipes, clock);
  try {
    await link.arm(arms);
    return link;
  } catch (cause) {
    link.kill();
    throw notStarted(cause);
  }
}

export function notStarted(cause: unknown): StillpointError {
  return engineError('LATCH_LAPSED', 'Cannot hold the application: the sentinel process did not start', {
    remedy: 'Check memory and process limits of this host; nothing was locked.',
    cause,
  });
}

class SentinelLink implements Sentinel {
  readonly #pipes: SentinelPipes;
  readonly #clock: Clock;
  readonly #lost = new AbortController();
  readonly #armed = pending<void>();
  readonly #answer = pending<LockAnswer>();
  readonly #persisted = pending<void>();
  #isLeft = false;

  constructor(pipes: SentinelPipes, clock: Clock) {
    this.#pipes = pipes;
    this.#clock = clock;
    pipes.input.on('error', () => undefined); // it died: its end is told below
    void pipes.ended.then(how => this.#lose(how));
    void this.#listen();
  }

  get pid(): number {
    return this.#pipes.pid;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  arm(arms: Extract<ToSentinel, { type: 'arm' }>): Promise<void> {
    this.#send(arms);
    return this.#inTime(this.#armed.promise, startTimeoutMs);
  }

  lock({ timeoutMs }: { readonly timeoutMs: number }): Promise<LockAnswer> {
    this.#send({ type: 'lock' });
    return this.#inTime(this.#answer.promise, timeoutMs);
  }

  persisted(): Promise<void> {
    return this.#persisted.promise;
  }

  async release(): Promise<void> {
    this.#isLeft = true;
    this.#send({ type: 'released' });
    this.#pipes.input.end();
    await settle(this.#pipes.ended, { ms: goodbyeMs, clock: this.#clock }); // it ends when it gets to it
    this.#letGo();
  }

  leave(): void {
    this.#isLeft = true;
    this.#letGo();
  }

  kill(): void {
    this.#isLeft = true;
    this.#pipes.kill();
    this.#letGo();
  }

  #letGo(): void {
    this.#pipes.input.destroy();
    this.#pipes.output.destroy();
    this.#pipes.unref();
  }

  #send(message: ToSentinel): void {
    this.#pipes.input.write(encodeMessage(message));
  }

  #inTime<T>(work: Promise<T>, ms: number): Promise<T> {
    const late = () => lapsed(`its sentinel process (pid ${this.pid}) did not answer in ${ms} ms`);
    return within(work, { ms, clock: this.#clock, late });
  }

  #lose(how: string): void {
    const error = lapsed(`its sentinel process (pid ${this.pid}) ${how}`);
    for (const waiting of [this.#armed, this.#answer, this.#persisted]) waiting.reject(error);
    if (!this.#isLeft) this.#lost.abort(error);
  }

  async #listen(): Promise<void> {
    for await (const message of readMessages<FromSentinel>(this.#pipes.output)) {
      switch (message.type) {
        case 'armed':
          this.#armed.resolve();
          break;
        case 'locked':
          this.#answer.resolve({ ...message, outcome: 'locked' });
          break;
        case 'not-locked':
          this.#answer.resolve(readAnswer(message));
          break;
        case 'persisted':
          this.#persisted.resolve();
          break;
        case 'not-persisted':
          this.#persisted.reject(notWritten(message.message));
          break;
        case 'overrun':
          this.#lost.abort(overrun());
          break;
        default:
          message satisfies never;
      }
    }
  }
}

function readAnswer(message: Extract<FromSentinel, { type: 'not-locked' }>): LockAnswer {
  const { code, message: text, remedy } = message.error;
  const error: StillpointError = engineError(
    code as EngineErrorCode,
    text,
    remedy === undefined ? {} : { remedy },
  );
  return message.outcome === 'unknown'
    ? { outcome: 'unknown', error }
    : { outcome: 'refused', occupied: message.occupied, error };
}

function overrun(): StillpointError {
  return engineError(
    'LATCH_OVERRUN',
    'Cannot hold the application: latch.maxHold passed and it was unlocked',
    {
      remedy: 'See what kept this program from working, or raise latch.maxHold.',
    },
  );
}

function notWritten(found: string): StillpointError {
  const { code, message, context } = lapsed(`its token could not be written down: ${found}`);
  return new StillpointError(code, message, {
    remedy:
      'Make room for the state directory, or set STILLPOINT_STATE_DIR to a folder on another local disk.',
    context,
  });
}
