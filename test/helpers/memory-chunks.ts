import { createHash } from 'node:crypto';
import { type Cuts, cutsFrom } from '../../chunker/index.ts';
import {
  type ChunkClass,
  type ChunkId,
  type ChunkSink,
  type ChunkSource,
  storeError,
} from '../../store/index.ts';

const nameOf = (id: ChunkId): string => Buffer.from(id).toString('hex');

/** Chunks in memory: for tests of what stands above the store. */
export interface MemoryChunks extends ChunkSink, ChunkSource {
  readonly cuts: Cuts;
  /** Distinct chunks of a class, and their bytes. */
  count(chunkClass: ChunkClass): number;
  bytes(chunkClass: ChunkClass): number;
  has(id: ChunkId, chunkClass: ChunkClass): boolean;
  /** As after a sweep, or damage. */
  lose(id: ChunkId, chunkClass: ChunkClass): void;
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
    has: (id, chunkClass) => chunks[chunkClass].has(nameOf(id)),
    lose: (id, chunkClass) => void chunks[chunkClass].delete(nameOf(id)),
    onPut: () => {},
    async put(bytes, chunkClass) {
      made.onPut(bytes);
      const id = createHash('sha256').update(chunkClass).update(bytes).digest();
      const name = id.toString('hex');
      if (!chunks[chunkClass].has(name)) chunks[chunkClass].set(name, new Uint8Array(bytes));
      return new Uint8Array(id) as ChunkId;
    },
    async get(id, chunkClass) {
      const bytes = chunks[chunkClass].get(nameOf(id));
      if (!bytes) throw storeError('STORE_OBJECT_MISSING', 'Cannot read chunk: it is not there');
      return bytes;
    },
  };
  return made;
}
