import { putIndexPart } from '../chunk-index/put-part.ts';
import type { ChunkClass } from '../content.ts';
import type { StoreContext } from '../context.ts';
import { storeError } from '../errors.ts';
import type { ChunkId } from '../ids.ts';
import type { PackRow } from '../pack/row.ts';
import { PackWriter } from '../pack/writer.ts';
import { beginSession, type LiveSession } from '../protocol/session.ts';

const rowsPerPartMax = 64;

export interface RepairWritingOptions {
  readonly host: string;
  readonly signal?: AbortSignal | undefined;
}

/** What a repair adds: packs and index parts of a session of its own, which begins with the first of them. */
export class RepairWriting {
  readonly #context: StoreContext;
  readonly #options: RepairWritingOptions;
  #live: LiveSession | undefined;
  #writer: PackWriter | undefined;
  #rows: PackRow[] = [];

  constructor(context: StoreContext, options: RepairWritingOptions) {
    this.#context = context;
    this.#options = options;
  }

  async begin(): Promise<LiveSession> {
    const { host, signal } = this.#options;
    const startedMs = this.#context.seams.clock.nowMs();
    // To everybody else it is a run that adds: a backup.
    this.#live ??= await beginSession(
      this.#context,
      { purpose: 'backup', host, startedMs, snapshots: [] },
      { signal },
    );
    return this.#live;
  }

  /** Takes a chunk, once; the bytes may be reused afterwards. */
  async put(id: ChunkId, bytes: Uint8Array, chunkClass: ChunkClass): Promise<void> {
    const { id: session } = await this.begin();
    this.#writer ??= new PackWriter(this.#context, {
      session,
      signal: this.#options.signal,
      onPublished: row => void this.#rows.push(row),
    });
    const writer = this.#writer;
    while (writer.isFull && !writer.has(id)) await writer.room();
    writer.check();
    if (!writer.has(id)) writer.add(id, bytes, chunkClass);
  }

  /** Everything that was put is durable, and listed. */
  async flush(): Promise<void> {
    await this.#writer?.flush();
    const rows = this.#rows.splice(0);
    if (rows.length > 0) await this.list(rows);
    await this.#writer?.settleParity();
  }

  /** Lists rows in index parts; the last one says that it has all that `replaces` had. The parts' names. */
  async list(
    rows: readonly PackRow[],
    { replaces = [] }: { readonly replaces?: readonly string[] } = {},
  ): Promise<string[]> {
    const { id: session } = await this.begin();
    const { signal } = this.#options;
    const names: string[] = [];
    for (let from = 0; from === 0 || from < rows.length; from += rowsPerPartMax) {
      const isLast = from + rowsPerPartMax >= rows.length;
      const own = rows.slice(from, from + rowsPerPartMax);
      // What a host without the passphrase says of a pack stays its word alone, also where nobody knows which host it was.
      const written = new Map(own.filter(row => row.isSealedToKey).map(({ pack }) => [pack, '']));
      const part = { rows: own, replaces: isLast ? replaces : [], written };
      names.push(await putIndexPart(this.#context, { session, ...part }, { signal }));
    }
    return names;
  }

  /** Ends the session. Never throws: what is not durable then is found by a later run. */
  async end(): Promise<void> {
    await this.#writer?.stop(storeError('STORE_WRITE_FAILED', 'Cannot write: the repair has ended'));
    const live = this.#live;
    this.#live = undefined;
    if (live === undefined) return;
    const isDurable = await this.#context.backend.sync().then(
      () => true,
      () => false,
    );
    await (isDurable ? live.end() : live.rest());
  }
}
