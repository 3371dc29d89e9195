import type { StoreContext } from '../context.ts';
import type { PackId, SessionId } from '../ids.ts';
import { packName } from '../pack/row.ts';
import { putRecord } from '../protocol/note.ts';
import { parityOf } from './code.ts';
import { parityName, parityRecord } from './record.ts';

/** How a store that was opened writes parity beside each pack. */
export interface ParityOptions {
  /** A pack stays without, and so do all later ones of its session; nothing else is hurt. */
  readonly onFailure: (error: unknown) => void;
}

/** Below it three blocks of 4 KiB would be more than a fifth. */
const packBytesMin = 64 * 1024;

/** Whether a pack of this size is worth it. */
export function isWorthParity(packBytes: number): boolean {
  return packBytes >= packBytesMin;
}

export interface ParityWriterOptions extends ParityOptions {
  readonly session: SessionId;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Puts parity of packs that were published. Never throws: nobody depends on it. A put goes on beside the next pack; while
 * paused nothing is computed, and what came meanwhile is read again afterwards.
 */
export class ParityWriter {
  readonly #context: StoreContext;
  readonly #options: ParityWriterOptions;
  #tail: Promise<void> = Promise.resolve();
  #waiting: PackId[] = [];
  #isPaused = false;
  #hasEnded = false;

  constructor(context: StoreContext, options: ParityWriterOptions) {
    this.#context = context;
    this.#options = options;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    for (const pack of this.#waiting.splice(0)) this.#follow(() => this.#readAndPut(pack));
  }

  /** Takes the parts of a pack; they may be forgotten afterwards. Resolves when the put before has ended. */
  async add(pack: PackId, parts: readonly Uint8Array[]): Promise<void> {
    if (!isWorthParity(parts.reduce((sum, part) => sum + part.length, 0)) || this.#hasEnded) return;
    if (this.#isPaused) {
      this.#waiting.push(pack);
      return;
    }
    const before = this.#tail;
    try {
      const parity = parityOf(parts);
      this.#follow(() => this.#put(pack, parity));
    } catch (error) {
      this.#fail(error);
    }
    await before;
  }

  /** Waits until everything is put, and durable. */
  async settle(): Promise<void> {
    this.resume();
    this.#follow(() => this.#context.backend.sync());
    await this.#tail;
  }

  /** What is not put yet stays so. */
  async stop(): Promise<void> {
    this.#hasEnded = true;
    this.#waiting = [];
    await this.#tail;
  }

  #follow(step: () => Promise<void>): void {
    this.#tail = this.#tail
      .then(() => (this.#hasEnded ? undefined : step()))
      .catch((error: unknown) => this.#fail(error));
  }

  async #readAndPut(pack: PackId): Promise<void> {
    await this.#put(pack, parityOf([await this.#context.backend.get(packName(pack), this.#call())]));
  }

  async #put(pack: PackId, record: ReturnType<typeof parityOf>): Promise<void> {
    const { session } = this.#options;
    const place = { name: parityName(pack), kind: 'parity', codec: parityRecord, record, session } as const;
    // Taken: somebody else's of the same bytes, or of nobody who can do harm with it.
    await putRecord(this.#context, place, { ...this.#call(), sync: 'deferred' });
  }

  #call(): { signal?: AbortSignal } {
    const { signal } = this.#options;
    return signal === undefined ? {} : { signal };
  }

  #fail(error: unknown): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#waiting = [];
    if (!this.#options.signal?.aborted) this.#options.onFailure(error);
  }
}
