import { createHash } from 'node:crypto';
import {
  type ChunkClass,
  type ChunkId,
  type ChunkSink,
  type ChunkSource,
  hex,
  storeError,
} from '../../store/index.ts';

/** Chunks in a map: what listings need of a store, and counts of what they ask for. */
export interface ChunkMap extends ChunkSink, ChunkSource {
  readonly chunks: Map<string, Uint8Array>;
  readonly counts: { puts: number; new: number; gets: number };
}

export function chunkMap(): ChunkMap {
  const chunks = new Map<string, Uint8Array>();
  const counts = { puts: 0, new: 0, gets: 0 };
  return {
    chunks,
    counts,
    async put(bytes: Uint8Array, chunkClass: ChunkClass) {
      const id = new Uint8Array(createHash('sha256').update(chunkClass).update(bytes).digest()) as ChunkId;
      counts.puts += 1;
      if (!chunks.has(hex(id))) {
        counts.new += 1;
        chunks.set(hex(id), bytes.slice());
      }
      return id;
    },
    async get(id: ChunkId) {
      counts.gets += 1;
      const bytes = chunks.get(hex(id));
      if (bytes === undefined) throw storeError('STORE_OBJECT_MISSING', `Cannot read chunk ${hex(id)}: none`);
      return bytes;
    },
  };
}
