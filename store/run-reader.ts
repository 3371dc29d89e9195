import type { ChunkIndex, ChunkPlace, FramePlace } from './chunk-index/chunk-index.ts';
import type { StoreContext } from './context.ts';
import type { ChunkId } from './ids.ts';
import type { FrameReader } from './pack/reader.ts';
import { packName } from './pack/row.ts';
import type { RunKeys, RunOpener, SealedRun } from './pack/run.ts';

/**
 * Reads much data in the order in which it lies. What it gives is sealed still and nothing of it is checked: whoever
 * opens it checks every chunk, and asks the store for what is not whole, which tries every copy.
 */
export interface RunReader {
  /** The opener of this thread; its `keys` make one in another. */
  readonly opener: RunOpener;
  readonly keys: RunKeys;
  /** Where a data chunk lies by what is known so far; undefined: nobody knows, ask the store. */
  placeOf(id: ChunkId): ChunkPlace | undefined;
  /** Frames of one pack, each beginning where the one before ends. The memory is the caller's. STORE_… */
  read(
    frames: readonly FramePlace[],
    options: { readonly signal?: AbortSignal | undefined },
  ): Promise<SealedRun>;
}

export function runReader(
  { context, frames }: { readonly context: StoreContext; readonly frames: FrameReader },
  { opener, keys, index }: Pick<RunReader, 'opener' | 'keys'> & { readonly index: () => ChunkIndex },
): RunReader {
  return {
    opener,
    keys,
    placeOf: id => index().placeOf(id, 'data'),
    async read(places, { signal }) {
      const first = places[0]!;
      const last = places.at(-1)!;
      const offset = first.sealedOffset;
      const length = last.sealedOffset + last.sealedBytes - offset;
      const [bytes, { material }] = await Promise.all([
        context.backend.get(packName(first.pack), { offset, length, ...(signal && { signal }) }),
        frames.sealOf(first.pack, first.chunkClass),
      ]);
      return {
        pack: first.pack,
        material,
        bytes,
        frames: places.map(({ ordinal, sealedOffset, sealedBytes, rawBytes, codec }) => ({
          ordinal,
          at: sealedOffset - offset,
          sealedBytes,
          rawBytes,
          codec,
        })),
      };
    },
  };
}
