import { breather } from '../breathe.ts';
import { storeError } from '../errors.ts';
import type { Clock } from '../seams.ts';
import { Thread } from '../workers/thread.ts';
import { bytesOf, type Cell } from './cells.ts';
import type { Codec } from './row.ts';
import { type FrameToSeal, type PackKeys, Sealing, type SealingTools } from './sealing.ts';
import type { SealingAnswer, SealingJob, SealingWorkerData, SharedPlace } from './sealing-messages.ts';

/** Threads beside the one that reads; none: it does everything itself. */
export interface SealingThreads {
  readonly max: number;
  /** The program of a thread; a test has others. */
  readonly program?: URL;
}

export interface Encoded {
  readonly codec: Codec;
  readonly bytes: number;
}

export type CellToSeal = Omit<FrameToSeal, 'place'> & { readonly cell: Cell };

/** Who compresses and seals in cells. Nobody else may look into a cell meanwhile. */
export interface Sealer {
  encode(cell: Cell, done: (encoded: Encoded) => void): void;
  seal(keys: PackKeys, frames: readonly CellToSeal[]): Promise<void>;
  /** Ends the threads; what they have not done is STORE_WRITE_FAILED. Idempotent, never throws. */
  end(): Promise<void>;
}

/** In this thread: frames are encoded at once, and between sealed ones others run. */
export function sealerHere(tools: SealingTools, clock: Clock): Sealer {
  const sealing = new Sealing(tools);
  return {
    encode: (cell, done) => done(sealing.encode(bytesOf(cell))),
    async seal(keys, frames) {
      const breathe = breather(clock);
      const places = frames.map(({ cell, ...frame }) => ({ ...frame, place: bytesOf(cell) }));
      for (const _ of sealing.seal(keys, places)) await breathe();
    },
    async end() {},
  };
}

/** How much waits at every thread before one more is started. */
const waitingBytesMin = 4 * 1024 * 1024;

/** In threads of their own, which are started as there is work for them. They end with `end`, or with the process. */
export class ThreadSealer implements Sealer {
  readonly #threads: SealingThread[] = [];
  readonly #options: SealingThreads;
  readonly #data: SealingWorkerData;
  readonly #onFailure: (error: unknown) => void;

  constructor(
    options: SealingThreads,
    { tools, onFailure }: { readonly tools: SealingTools; readonly onFailure: (error: unknown) => void },
  ) {
    this.#options = options;
    this.#data = { zstd: tools.zstd.implementation, blake3: tools.blake3.implementation };
    this.#onFailure = onFailure;
  }

  encode(cell: Cell, done: (encoded: Encoded) => void): void {
    this.#ask({ kind: 'encode', place: placeOf(cell) }, cell.length)
      .then(answer => {
        if (answer.kind === 'encoded') done(answer);
      })
      .catch(this.#onFailure);
  }

  /** Each thread takes its share of the frames. */
  async seal(keys: PackKeys, frames: readonly CellToSeal[]): Promise<void> {
    const bytes = frames.reduce((sum, { cell }) => sum + cell.length, 0);
    const shareBytes = bytes / Math.max(1, this.#threads.length);
    const shares: Promise<unknown>[] = [];
    for (let from = 0; from < frames.length; ) {
      let to = from;
      let taken = 0;
      while (to < frames.length && (taken === 0 || taken < shareBytes)) taken += frames[to++]!.cell.length;
      const share = frames.slice(from, to).map(({ cell, ...frame }) => ({ ...frame, place: placeOf(cell) }));
      shares.push(this.#ask({ kind: 'seal', keys, frames: share }, taken));
      from = to;
    }
    await Promise.all(shares);
  }

  async end(): Promise<void> {
    await Promise.all(this.#threads.map(thread => thread.end()));
  }

  #ask(job: SealingJob, bytes: number): Promise<SealingAnswer> {
    return this.#idlest().ask(job, bytes);
  }

  #idlest(): SealingThread {
    let idlest = this.#threads[0];
    for (const thread of this.#threads) if (thread.waitingBytes < idlest!.waitingBytes) idlest = thread;
    const isOneMore = idlest === undefined || idlest.waitingBytes >= waitingBytesMin;
    if (!isOneMore || this.#threads.length >= this.#options.max) return idlest!;
    const thread = new SealingThread(this.#options.program ?? program, this.#data);
    this.#threads.push(thread);
    return thread;
  }
}

const program = new URL('./sealing-main.js', import.meta.url);

/** A thread, and how much waits there. */
class SealingThread {
  readonly #thread: Thread;
  #waitingBytes = 0;

  constructor(entry: URL, data: SealingWorkerData) {
    // What ciphers leave behind lies outside the heap, and is freed with the few objects that hold it: so often.
    const limits = { maxYoungGenerationSizeMb: 2 };
    this.#thread = new Thread({ program: entry, data, onEnd: threadEnded, limits });
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  async ask(job: SealingJob, bytes: number): Promise<SealingAnswer> {
    this.#waitingBytes += bytes;
    try {
      const answer = (await this.#thread.run(job)) as SealingAnswer;
      if (answer.kind === 'failed') throw failedWith(answer);
      return answer;
    } finally {
      this.#waitingBytes -= bytes;
    }
  }

  end(): Promise<void> {
    return this.#thread.end();
  }
}

function threadEnded(cause: unknown): Error {
  return storeError('STORE_WRITE_FAILED', 'Cannot publish a pack: the thread that seals it ended', {
    remedy: 'Run the backup again; what was published is kept.',
    cause,
  });
}

function failedWith({ message, remedy }: SealingAnswer & { readonly kind: 'failed' }): Error {
  return storeError('STORE_WRITE_FAILED', message, remedy === undefined ? {} : { remedy });
}

function placeOf({ block: { buffer }, at, length }: Cell): SharedPlace {
  return { buffer, at, length };
}
