import type { ChunkId } from './ids.ts';

/** Data and metadata have different id keys, different packs, and different readers. */
export type ChunkClass = 'data' | 'metadata';

/** A chunk that something stored depends on. A node is a metadata chunk that names further chunks itself. */
export interface ChunkRef {
  readonly id: ChunkId;
  readonly kind: 'data' | 'node';
}

/** A run of bytes: part of a chunk, zeros that were never stored, or a few bytes kept in place. Lengths in bytes. */
export type Extent =
  | { readonly kind: 'chunk'; readonly id: ChunkId; readonly offset: number; readonly length: number }
  | { readonly kind: 'hole'; readonly length: number }
  | { readonly kind: 'inline'; readonly bytes: Uint8Array };

/** The largest run of bytes that an extent keeps in place. */
export const inlineBytesMax = 128;

/** Where some bytes are: at most 32 extents in place, or the root node of an extent list. */
export type Content =
  | { readonly length: number; readonly extents: readonly Extent[] }
  | { readonly length: number; readonly list: ChunkId };

/** One entry of a listing. The store orders by key and keeps body as it is; the engine gives both meaning. */
export interface Entry {
  /** Sorts by unsigned bytes; unique within a listing. */
  readonly key: Uint8Array;
  /** Deterministic CBOR that the store does not interpret. */
  readonly body: Uint8Array;
  /** The bytes that the entry stands for; body refers to them by position. */
  readonly contents: readonly Content[];
}

/** A stored listing: its root node. */
export interface ListingRoot {
  readonly id: ChunkId;
  /** 0 = the root is a leaf. */
  readonly level: number;
  readonly entries: number;
}

/** Takes chunks. */
export interface ChunkSink {
  /**
   * Stores bytes unless the store has them, and names them. Resolves when they are accepted (back-pressure); they are
   * durable only after the session's flush. The bytes may be reused as soon as the promise has resolved.
   */
  put(bytes: Uint8Array, chunkClass: ChunkClass): Promise<ChunkId>;
  /** As `put`, without a promise for each of very many chunks; undefined where it has to be waited: then `put` it. */
  putNow?(bytes: Uint8Array, chunkClass: ChunkClass): ChunkId | undefined;
}

/** Gives chunks back. */
export interface ChunkSource {
  /**
   * The chunk's bytes, checked against all 32 bytes of the id. They never change, so they may be kept; do not write into
   * them, since others may have them, too. STORE_DAMAGED, STORE_OBJECT_MISSING.
   */
  get(id: ChunkId, chunkClass: ChunkClass): Promise<Uint8Array>;
}
