import { createHash } from 'node:crypto';
import { type ChunkClass, type ChunkId, type ChunkSource, hex, storeError } from '../../store/index.ts';

/** Chunks whose bytes are not looked at, named by what they are, as a store names them. */
export interface RawChunks extends ChunkSource {
  put(bytes: Uint8Array, chunkClass: ChunkClass): ChunkId;
}

export function rawChunks(): RawChunks {
  const held = new Map<string, Uint8Array>();
  return {
    put(bytes, chunkClass) {
      const id = new Uint8Array(createHash('sha256').update(chunkClass).update(bytes).digest()) as ChunkId;
      held.set(`${chunkClass} ${hex(id)}`, new Uint8Array(bytes));
      return id;
    },
    async get(id, chunkClass) {
      const bytes = held.get(`${chunkClass} ${hex(id)}`);
      if (bytes === undefined) throw storeError('STORE_OBJECT_MISSING', 'Cannot read chunk: it is not there');
      return bytes;
    },
  };
}
