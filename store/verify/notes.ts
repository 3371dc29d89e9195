import type { CborValue } from '../cbor.ts';
import { isStoreError } from '../errors.ts';
import type { PackId, SnapshotId } from '../ids.ts';
import { appendLedger } from '../ledger.ts';
import { insideOf, type Store } from '../store.ts';

export interface NotesOptions {
  /** Who verifies; without it nothing is written. */
  readonly host: string | undefined;
  /** Kept with each act. */
  readonly detail: CborValue;
}

export interface Findings {
  readonly whole: readonly SnapshotId[];
  readonly damaged: readonly SnapshotId[];
  readonly damagedPacks: readonly PackId[];
}

/** A machine that dies loses the memory of so much reading at most. */
const everyMs = 10 * 60_000;
const nothing: Findings = { whole: [], damaged: [], damagedPacks: [] };

/** What one run has to say to the ledger. A store that cannot be written is verified all the same. */
export class VerifyNotes {
  readonly #store: Store;
  readonly #options: NotesOptions;
  readonly #read = new Map<PackId, number>();
  #unsaidRead: PackId[] = [];
  #unsaidLists = new Set<PackId>();
  #lastMs: number;
  #failure: Error | undefined;

  constructor(store: Store, options: NotesOptions) {
    this.#store = store;
    this.#options = options;
    this.#lastMs = this.#clock.monotonicMs();
  }

  get #clock() {
    return insideOf(this.#store).context.seams.clock;
  }

  /** From here on nothing is noted. */
  stop(reason: Error): void {
    this.#failure ??= reason;
  }

  /** Why nothing was noted. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** When this run read a pack, and found nothing new. */
  readAtMs(pack: PackId): number | null {
    return this.#read.get(pack) ?? null;
  }

  /** A pack's own list was read. */
  list(pack: PackId): void {
    this.#unsaidLists.add(pack);
  }

  /** Every byte of a pack was read, and was well, or was recorded as damaged before. */
  async read(pack: PackId): Promise<void> {
    this.#read.set(pack, this.#clock.nowMs());
    this.#unsaidRead.push(pack);
    if (this.#clock.monotonicMs() - this.#lastMs > everyMs) await this.write(nothing);
  }

  /** Notes what was found since the last time. Without a signal: what was read is worth noting when a run is ended, too. */
  async write({ whole, damaged, damagedPacks }: Findings): Promise<void> {
    const { host, detail } = this.#options;
    const packs = this.#unsaidRead;
    const listed = [...this.#unsaidLists].filter(pack => !this.#read.has(pack));
    this.#unsaidRead = [];
    this.#unsaidLists = new Set();
    this.#lastMs = this.#clock.monotonicMs();
    if (host === undefined || this.#failure !== undefined) return;
    const act = { act: 'verified', host, detail } as const;
    try {
      if (whole.length + packs.length + listed.length > 0)
        await appendLedger(this.#store, { ...act, isOk: true, snapshots: whole, packs, listed });
      if (damaged.length + damagedPacks.length > 0)
        await appendLedger(this.#store, { ...act, isOk: false, snapshots: damaged, packs: damagedPacks });
    } catch (error) {
      if (!isStoreError(error)) throw error;
      this.#failure = error;
    }
  }
}
