import type { Readable, Writable } from 'node:stream';
import { type Clock, StillpointError, systemSeams } from '../../store/index.ts';
import {
  type ApplicationAccess,
  type LockAnswer,
  type LockableApplication,
  openApplication,
} from '../app/index.ts';
import { engineError } from '../errors.ts';
import { lockSurely, unlockSurely } from './calls.ts';
import { encodeMessage, type FromSentinel, readMessages, type ToSentinel } from './messages.ts';
import { noteToken, removeRecord, writeRecord } from './record.ts';

type Arms = Extract<ToSentinel, { type: 'arm' }>;

/**
 * What the sentinel process does. It makes the lock call itself, so that the only answer that holds the token reaches
 * a process that outlives the program; from then on it unlocks when the pipe closes without `released`, or when
 * maxHold passes. Returns when nothing is left to guard, or when its patience has ended.
 */
export async function standGuard(options: {
  readonly input: Readable;
  readonly output: Writable;
  readonly clock: Clock;
  /** Seams for tests. */
  readonly open?: (access: ApplicationAccess) => LockableApplication;
  readonly write?: typeof writeRecord;
}): Promise<void> {
  const { input, output, clock, write = writeRecord } = options;
  const { open = access => openApplication(access, { ...systemSeams, clock }) } = options;
  output.on('error', () => undefined); // the program died: the end of its pipe is what counts
  const tell = (message: FromSentinel) => output.write(encodeMessage(message));
  let watch: Watch | undefined;
  let isReleased = false;
  for await (const message of readMessages<ToSentinel>(input)) {
    if (message.type === 'released') {
      isReleased = true;
      break;
    }
    if (message.type === 'arm') {
      watch = new Watch(message, { app: open(message.access), clock, tell, write });
      await watch.connect();
      tell({ type: 'armed' });
    } else {
      watch?.lock();
    }
  }
  await (isReleased ? watch?.standDown() : watch?.takeOver());
  output.end();
}

interface World {
  readonly app: LockableApplication;
  readonly clock: Clock;
  readonly tell: (message: FromSentinel) => void;
  readonly write: typeof writeRecord;
}

/** One lock, from the call that makes it to the proof that it is gone. */
class Watch {
  readonly #arms: Arms;
  readonly #world: World;
  readonly #ended = new AbortController();
  #locking: Promise<void> | undefined;
  #persisting: Promise<void> | undefined;
  #unlocking: Promise<void> | undefined;
  #token: string | undefined;
  #isUnknown = false;
  #isOccupied = false;

  constructor(arms: Arms, world: World) {
    this.#arms = arms;
    this.#world = world;
  }

  /** Opens the connection, so that the lock call pays for no handshake. */
  async connect(): Promise<void> {
    try {
      await this.#world.app.describe();
    } catch (error) {
      if (!(error instanceof StillpointError)) throw error; // else the lock call will say it
    }
  }

  lock(): void {
    this.#token ??= this.#arms.record.token ?? undefined; // one that is known beforehand unlocks whatever happens
    this.#locking ??= this.#lockNow();
    void this.#overrun();
  }

  async #lockNow(): Promise<void> {
    const answer = await this.#call();
    if (answer.outcome !== 'locked') {
      if (answer.outcome === 'refused') this.#token = undefined;
      this.#isUnknown = answer.outcome === 'unknown' && this.#token === undefined;
      const { code, message, remedy } = answer.error;
      const occupied = answer.outcome === 'refused' && answer.occupied;
      this.#isOccupied = occupied;
      this.#world.tell({
        type: 'not-locked',
        outcome: answer.outcome,
        occupied,
        error: { code, message, remedy },
      });
      return;
    }
    const { token, commands = [] } = answer;
    const { file, record } = this.#arms;
    this.#token = token;
    if (token !== record.token) noteToken(file, { ...record, token });
    this.#world.tell({ type: 'locked', token, commands });
    this.#persisting = this.#persist(token); // an unlock does not wait for a disk
  }

  async #persist(token: string): Promise<void> {
    const { file, record } = this.#arms;
    try {
      if (token !== record.token) await this.#world.write(file, { ...record, token });
      this.#world.tell({ type: 'persisted' });
    } catch (error) {
      // The program unlocks and fails; should it die now, this process still holds the token.
      const message = error instanceof Error ? error.message : String(error);
      this.#world.tell({ type: 'not-persisted', message });
    }
  }

  async #call(): Promise<LockAnswer> {
    try {
      return await lockSurely(this.#world.app, {
        intent: { token: this.#arms.record.token, timeoutMs: this.#arms.maxHoldMs },
        clock: this.#world.clock,
        patienceMs: this.#arms.lockPatienceMs,
      });
    } catch (cause) {
      // A mistake of ours must not keep the program waiting for an answer.
      const error = engineError(
        'APP_UNREACHABLE',
        `Cannot lock ${this.#world.app.location}: ${String(cause)}`,
      );
      return { outcome: 'unknown', error };
    }
  }

  /** The program is stopped or stuck when this comes: it has its own, shorter budget. */
  async #overrun(): Promise<void> {
    try {
      await this.#world.clock.sleep(this.#arms.maxHoldMs, this.#ended.signal);
    } catch {
      return; // ended in time
    }
    await this.#locking;
    if (this.#token === undefined) return;
    await this.#unlock(this.#token);
    this.#world.tell({ type: 'overrun' });
  }

  /** The program is gone: what it may have left locked is unlocked here. */
  async takeOver(): Promise<void> {
    await this.#locking;
    if (this.#token !== undefined) await this.#unlock(this.#token);
    // The lock that is there may be the program's own: it does not wait for ever for a sentinel that is stopped.
    else if (!this.#isUnknown && !this.#isOccupied) await removeRecord(this.#arms.file);
    await this.#end();
  }

  /** The program unlocked. */
  async standDown(): Promise<void> {
    this.#ended.abort();
    await this.#locking;
    await this.#persisting;
    if (!this.#isUnknown) await removeRecord(this.#arms.file);
    await this.#end();
  }

  #unlock(token: string): Promise<void> {
    this.#unlocking ??= this.#unlockNow(token);
    return this.#unlocking;
  }

  async #unlockNow(token: string): Promise<void> {
    const { file, unlockPatienceMs } = this.#arms;
    try {
      const signal = this.#ended.signal;
      await unlockSurely(this.#world.app, {
        token,
        clock: this.#world.clock,
        patienceMs: unlockPatienceMs,
        signal,
      });
      await this.#persisting; // else it would be there again
      await removeRecord(file);
    } catch (error) {
      // Out of patience, or the program said `released` meanwhile: in the first case the record stays for `unlock`.
      if (!(error instanceof StillpointError) && !this.#ended.signal.aborted) throw error;
    }
  }

  async #end(): Promise<void> {
    this.#ended.abort();
    await this.#world.app.close();
  }
}
