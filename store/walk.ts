import { Bits } from './chunk-index/bits.ts';
import type { ChunkIndex } from './chunk-index/chunk-index.ts';
import { readChunk } from './chunk-reader.ts';
import type { ChunkRef, ChunkSource } from './content.ts';
import type { StoreContext } from './context.ts';
import { isStoreError, type StillpointError, storeError } from './errors.ts';
import { type ChunkId, hex } from './ids.ts';
import { refsOfNode } from './listing/index.ts';
import type { FrameReader } from './pack/reader.ts';

export interface WalkOptions {
  readonly context: StoreContext;
  /** Must not grow while the walk lasts. */
  readonly index: ChunkIndex;
  readonly frames: FrameReader;
  /** Gives nodes to who cannot open them in the store. */
  readonly nodes?: ChunkSource | undefined;
  /** Called for each chunk once, whether a pack has it or not. */
  readonly onChunk?: (ref: ChunkRef, isListed: boolean) => void;
  /** What is below such a node is known already. */
  readonly isKnown?: (id: ChunkId) => boolean;
  /** A node that cannot be read is the end, unless this takes it: what is below it then remains unknown. */
  readonly onUnreadable?: (id: ChunkId, error: StillpointError) => void;
  readonly breathe: () => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/** What can be reached from roots: the references of nodes are read and nothing else. One bit a chunk. */
export class Reachable {
  readonly #options: WalkOptions;
  readonly #reached: Bits;

  constructor(options: WalkOptions) {
    this.#options = options;
    this.#reached = new Bits(options.index.numbersEnd);
  }

  /** Whether a chunk was reached; by its number in the index. */
  hasNumber(number: number): boolean {
    return this.#reached.has(number);
  }

  has(id: Uint8Array): boolean {
    const number = this.#options.index.numberOf(id);
    return number >= 0 && this.#reached.has(number);
  }

  /** Adds all that can be reached. STORE_DAMAGED, STORE_OBJECT_MISSING for a node that cannot be read. */
  async add(roots: readonly ChunkRef[]): Promise<void> {
    const { signal, breathe, isKnown } = this.#options;
    const nodes: ChunkId[] = [];
    const take = ({ id, kind }: ChunkRef): void => {
      if (this.#reach({ id, kind }) && kind === 'node' && !isKnown?.(id))
        nodes.push(Uint8Array.from(id) as ChunkId);
    };
    for (const root of roots) take(root);
    for (let id = nodes.pop(); id !== undefined; id = nodes.pop()) {
      signal?.throwIfAborted();
      await breathe();
      const bytes = await this.#read(id);
      if (bytes !== undefined) for (const ref of refsOfNode(bytes, `node ${hex(id)}`)) take(ref);
    }
  }

  /** Whether it is met for the first time. */
  #reach(ref: ChunkRef): boolean {
    const { index, onChunk } = this.#options;
    const number = index.numberOf(ref.id);
    if (number < 0) {
      onChunk?.(ref, false);
      return ref.kind === 'node'; // reading it says what is wrong
    }
    if (!this.#reached.add(number)) return false;
    onChunk?.(ref, true);
    return true;
  }

  async #read(id: ChunkId): Promise<Uint8Array | undefined> {
    const { context, index, frames, nodes, onUnreadable } = this.#options;
    if (nodes !== undefined) return nodes.get(id, 'metadata');
    const answer = await readChunk({ context, frames, index }, { id, chunkClass: 'metadata' });
    if ('bytes' in answer) return answer.bytes;
    const { error: failure } = answer;
    if (failure !== undefined && !isStoreError(failure)) throw failure;
    const error =
      failure ??
      storeError('STORE_OBJECT_MISSING', `Cannot read node ${hex(id)}: no pack has it`, {
        remedy: 'Run `stillpoint verify` to see what is affected.',
        context: { chunk: hex(id) },
      });
    if (onUnreadable === undefined) throw error;
    onUnreadable(id, error);
    return undefined;
  }
}
