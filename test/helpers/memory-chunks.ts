import { createHash } from 'node:crypto';
import { type Cuts, cutsFrom } from '../../chunker/index.ts';
import type { ChunkClass, ChunkId, ChunkSink, ChunkSource } from '../../store/index.ts';

/** Chunks in memory: for tests of what stands above the store. */
export interface MemoryChunks extends ChunkSink, ChunkSource {
  readonly cuts: Cuts;
  /** Distinct chunks of a class, and their bytes. */
  count(chunkClass: ChunkClass): number;
  bytes(chunkClass: ChunkClass): number;
  /** Called before each put. */
  onPut: (bytes: Uint8Array) => void;
}

export function memoryChunks(): MemoryChunks {
  const chunks = { data: new Map<string, Uint8Array>(), metadata: new Map<string, Uint8Array>() };
  const xof = (label: string, length: number): Uint8Array =>
    new Uint8Array(createHash('shake256', { outputLength: length }).update(`test ${label}`).digest());
  const made: MemoryChunks = {
    cuts: cutsFrom(xof),
    count: chunkClass => chunks[chunkClass].size,
    bytes: chunkClass => [...chunks[chunkClass].values()].reduce((sum, bytes) => sum + bytes.length, 0),
    onPut: () => {},
    async put(bytes, chunkClass) {
      made.onPut(bytes);
      const id = createHash('sha256').update(chunkClass).update(bytes).digest();
      const name = id.toString('hex');
      if (!chunks[chunkClass].has(name)) chunks[chunkClass].set(name, new Uint8Array(bytes));
      return new Uint8Array(id) as ChunkId;
    },
    async get(id, chunkClass) {
      const bytes = chunks[chunkClass].get(Buffer.from(id).toString('hex'));
      if (!bytes) throw new Error('no such chunk');
      return bytes;
    },
  };
  return made;
}
