import type { ChunkId } from '../../store/index.ts';
import { type MemoryChunks, memoryChunks } from './memory-chunks.ts';

/** Chunks in memory that count what is asked of them. */
export interface CountedChunks extends MemoryChunks {
  readonly counts: { gets: number };
}

export function countedChunks(): CountedChunks {
  const chunks = memoryChunks();
  const counts = { gets: 0 };
  return {
    ...chunks,
    counts,
    async get(id: ChunkId, chunkClass) {
      counts.gets += 1;
      return chunks.get(id, chunkClass);
    },
  };
}
