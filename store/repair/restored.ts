import type { ChunkIndex } from '../chunk-index/chunk-index.ts';
import { readChunk } from '../chunk-reader.ts';
import type { ChunkSource } from '../content.ts';
import type { StoreContext } from '../context.ts';
import { isStoreError } from '../errors.ts';
import type { PackId } from '../ids.ts';
import { FrameReader } from '../pack/reader.ts';
import type { PackState } from './assess.ts';
import { rebuiltContext } from './parity.ts';

interface RestoredParts {
  readonly source: ChunkSource;
  readonly index: ChunkIndex;
  readonly packs: readonly PackState[];
  readonly signal?: AbortSignal | undefined;
}

/** Reads chunks, also those that only parity gives: a dry run copies nothing, and must not call them lost. */
export function throughParity(
  context: StoreContext,
  { source, index, packs, signal }: RestoredParts,
): ChunkSource {
  const frames = new Set(packs.flatMap(({ restored }) => restored.map(({ frame }) => frame)));
  const sizes = new Map(packs.map(({ pack, bytes = 0 }) => [pack, bytes]));
  let last: { readonly pack: PackId; readonly reader: Promise<FrameReader> } | undefined;

  async function rebuild(pack: PackId): Promise<FrameReader> {
    const rebuilt = await rebuiltContext(context, { pack, bytes: sizes.get(pack) ?? 0 }, { signal });
    return new FrameReader(rebuilt?.context ?? context, { cacheBytesMax: 0 });
  }

  return {
    async get(id, chunkClass) {
      try {
        return await source.get(id, chunkClass);
      } catch (error) {
        const place = index.places(id).find(({ frame }) => frames.has(frame));
        if (!isStoreError(error) || place === undefined) throw error;
        // One pack at a time is kept.
        if (last?.pack !== place.pack) last = { pack: place.pack, reader: rebuild(place.pack) };
        const answer = await readChunk({ context, frames: await last.reader, index }, { id, chunkClass });
        if ('bytes' in answer) return answer.bytes;
        throw error;
      }
    },
  };
}
