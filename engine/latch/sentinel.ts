import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Clock, StillpointError } from '../../store/index.ts';
import type { LockAnswer } from '../app/index.ts';
import { type EngineErrorCode, engineError } from '../errors.ts';
import { encodeMessage, type FromSentinel, readMessages, type ToSentinel } from './messages.ts';

const startTimeoutMs = 20_000;
const goodbyeMs = 2_000;

/** The program's end of the sentinel process. */
export interface Sentinel {
  readonly pid: number;
  /** Aborts when the sentinel ends before it was released, or had to unlock by itself; the reason is the error. */
  readonly lost: AbortSignal;
  /** Has the sentinel make the lock call. Rejects when it died, or did not answer, before it could tell the outcome. */
  lock(options: { readonly timeoutMs: number }): Promise<LockAnswer>;
  /** Resolves when the token is on the disk. */
  persisted(): Promise<void>;
  /** Says that nothing is locked any more, and waits a moment for its end. */
  release(): Promise<void>;
  /** Lets go of it: it goes on unlocking by itself. */
  leave(): void;
  /** Ends it by force, when it is there but does not answer. */
  kill(): void;
}

/** Resolves when the sentinel has started and holds everything that it needs, before anything is locked. */
export async function startSentinel(
  arms: Extract<ToSentinel, { type: 'arm' }>,
  { clock }: { readonly clock: Clock },
): Promise<Sentinel> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./sentinel-main.js', import.meta.url))], {
    detached: true, // a session of its own: signals to the program's process group do not reach it
    cwd: '/',
    env: quietEnvironment(),
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const sentinel = new SentinelProcess(child, clock);
  try {
    sentinel.send(arms);
    await sentinel.within(startTimeoutMs, sentinel.armed);
  } catch (cause) {
    sentinel.kill();
    throw engineError('LATCH_LAPSED', 'Cannot hold the application: the sentinel process did not start', {
      remedy: 'Check memory and process limits of this host; nothing was locked.',
      cause,
    });
  }
  return sentinel;
}

class SentinelProcess implements Sentinel {
  readonly pid: number;
  readonly armed: Promise<void>;
  readonly #child: ChildProcess;
  readonly #input: Writable;
  readonly #clock: Clock;
  readonly #lost = new AbortController();
  readonly #ended: Promise<void>;
  readonly #answer = pending<LockAnswer>();
  readonly #persisted = pending<void>();
  #isLeft = false;

  constructor(child: ChildProcess, clock: Clock) {
    this.#child = child;
    this.#clock = clock;
    this.pid = child.pid ?? 0;
    this.#input = child.stdin!;
    this.#input.on('error', () => undefined); // it died: the exit event tells
    const armed = pending<void>();
    this.armed = armed.promise;
    this.#ended = new Promise(resolve => {
      const end = (reason: string, cause?: unknown) => {
        const error = lapsed(`its sentinel process (pid ${this.pid}) ${reason}`, cause);
        for (const waiting of [armed, this.#answer, this.#persisted]) waiting.reject(error);
        if (!this.#isLeft) this.#lost.abort(error);
        resolve();
      };
      child.once('error', error => end('could not run', error));
      child.once('exit', (code, signal) => end(`ended (${signal ?? `exit ${code}`})`));
    });
    void this.#listen(child.stdout!, armed.resolve);
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  send(message: ToSentinel): void {
    this.#input.write(encodeMessage(message));
  }

  lock({ timeoutMs }: { readonly timeoutMs: number }): Promise<LockAnswer> {
    this.send({ type: 'lock' });
    return this.within(timeoutMs, this.#answer.promise);
  }

  persisted(): Promise<void> {
    return this.#persisted.promise;
  }

  async release(): Promise<void> {
    this.#isLeft = true;
    this.send({ type: 'released' });
    this.#input.end();
    await this.within(goodbyeMs, this.#ended).catch(() => undefined); // it ends by itself when it gets to it
    this.#unref();
  }

  leave(): void {
    this.#isLeft = true;
    this.#input.destroy();
    this.#unref();
  }

  kill(): void {
    this.#isLeft = true;
    this.#child.kill('SIGKILL');
    this.#unref();
  }

  async within<T>(ms: number, work: Promise<T>): Promise<T> {
    const timer = new AbortController();
    const tooLate = this.#clock.sleep(ms, timer.signal).then(() => {
      throw lapsed(`its sentinel process (pid ${this.pid}) did not answer in ${ms} ms`);
    });
    tooLate.catch(() => undefined); // also rejects when the timer is put away below
    try {
      return await Promise.race([work, tooLate]);
    } finally {
      timer.abort();
    }
  }

  async #listen(output: Readable, armed: () => void): Promise<void> {
    for await (const message of readMessages<FromSentinel>(output)) {
      switch (message.type) {
        case 'armed':
          armed();
          break;
        case 'locked':
          this.#answer.resolve({ outcome: 'locked', token: message.token });
          break;
        case 'not-locked':
          this.#answer.resolve(readAnswer(message));
          break;
        case 'persisted':
          this.#persisted.resolve();
          break;
        case 'not-persisted':
          this.#persisted.reject(lapsed(`its token could not be written down: ${message.message}`));
          break;
        case 'overrun':
          this.#lost.abort(
            engineError(
              'LATCH_OVERRUN',
              'Cannot hold the application any longer: latch.maxHold passed, it was unlocked',
              {
                remedy: 'See what kept the program from working; or raise latch.maxHold.',
              },
            ),
          );
          break;
        default:
          message satisfies never;
      }
    }
  }

  #unref(): void {
    this.#child.unref();
    this.#child.stdout?.destroy();
    this.#child.stdin?.destroy();
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

function lapsed(found: string, cause?: unknown): StillpointError {
  return engineError('LATCH_LAPSED', `Cannot vouch for the latch: ${found}`, {
    remedy: 'Run the backup again; nothing was kept of this one.',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What a Node process needs to run and to trust certificates; nothing that the program was given in confidence. */
function quietEnvironment(): NodeJS.ProcessEnv {
  const names = ['PATH', 'LANG', 'TZ', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR'];
  return Object.fromEntries(
    names.flatMap(name => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

interface Pending<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

function pending<T>(): Pending<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  promise.catch(() => undefined); // nobody need wait for it
  return { promise, resolve, reject };
}
