import type { Backend } from './backend/index.ts';
import type { Zstd } from './compress.ts';
import type { ChunkClass } from './content.ts';
import type { ChunkId } from './ids.ts';
import type { KeyRing } from './keys/index.ts';
import type { SealingThreads } from './pack/sealers.ts';
import type { ParityOptions } from './parity/writer.ts';
import type { Seams } from './seams.ts';

/** What every part of an open store works with. */
export interface StoreContext {
  readonly backend: Backend;
  readonly ring: KeyRing;
  readonly zstd: Zstd;
  readonly seams: Seams;
  /** Undefined: none is written. */
  readonly parity?: ParityOptions | undefined;
  /** Undefined: what writes packs does all of it in its own thread. */
  readonly sealingThreads?: SealingThreads | undefined;
  /** A chunk's name: BLAKE3 of its bytes under its class's key. */
  idOf(bytes: Uint8Array, chunkClass: ChunkClass): ChunkId;
}

/** Joins what was loaded and unlocked. */
export function contextOf(parts: Omit<StoreContext, 'idOf'>): StoreContext {
  const { ring } = parts;
  const keys = { data: ring.domainKey('ids/data'), metadata: ring.domainKey('ids/metadata') };
  return { ...parts, idOf: (bytes, chunkClass) => ring.blake3.keyed(keys[chunkClass], bytes) as ChunkId };
}
