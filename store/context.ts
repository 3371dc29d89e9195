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
  /** The keys of chunk ids. */
  readonly idKeys: Readonly<Record<ChunkClass, Uint8Array>>;
  /** A chunk's name: BLAKE3 of its bytes under its class's key. */
  idOf(bytes: Uint8Array, chunkClass: ChunkClass): ChunkId;
}

/** Joins what was loaded and unlocked. */
export function contextOf(parts: Omit<StoreContext, 'idOf' | 'idKeys'>): StoreContext {
  const { ring } = parts;
  const idKeys = { data: ring.domainKey('ids/data'), metadata: ring.domainKey('ids/metadata') };
  return {
    ...parts,
    idKeys,
    idOf: (bytes, chunkClass) => ring.blake3.keyed(idKeys[chunkClass], bytes) as ChunkId,
  };
}
