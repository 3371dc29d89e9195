import type { ChunkClass, ChunkId, ChunkSource, ListedNode, ListingRoot } from '../../../store/index.ts';
import type { EntryFileSystem, HomeRoot } from '../entries/entry.ts';
import type { EntryTable } from './table.ts';

/** An earlier snapshot of the same home, whose states and contents are taken over where they still hold. */
export interface HomeBase {
  readonly source: ChunkSource;
  readonly roots: readonly HomeRoot[];
  /** When it was taken, ms since 1970 UTC. */
  readonly timeMs: number;
  /** Whether a new snapshot may depend on a chunk. */
  has(id: ChunkId, chunkClass: ChunkClass): boolean;
  /** Where rows of earlier listings may be; they are as good as the listings. */
  readonly remembered?: RememberedRows | undefined;
}

/** Rows of listings in a form that loads without decoding, by the listing's root. What it does not have is not remembered. */
export interface RememberedRows {
  /** The very bytes that were put, to be changed as the caller likes. */
  get(listing: ChunkId): Promise<Uint8Array | undefined>;
  put(listing: ChunkId, parts: Iterable<Uint8Array>): Promise<void>;
  /** Called for the nodes of a listing whose rows were remembered. */
  keepNode(node: ChunkId): void;
}

/** Its first key is that of its first row. */
export type KnownNode = Omit<ListedNode, 'first'>;

/** A whole node of the base's listing and the row after its last one. */
export interface BaseNode {
  readonly node: KnownNode;
  readonly to: number;
}

/** What an earlier snapshot had under one root, as rows. Those that must not be trusted are untaken. */
export interface TreeBase {
  readonly listing: ListingRoot;
  readonly table: EntryTable;
  readonly fileSystems: readonly EntryFileSystem[];
  /** Fingerprint of the rules that left things out. */
  readonly rules: Uint8Array | undefined;
  /** The newest change of a trusted row, by file system. */
  readonly newestNs: readonly (bigint | undefined)[];
  /** The root folder's entry as it is stored. */
  readonly rootBody: Uint8Array;
  /** Nodes that a new listing may take over, by their first row, the largest first. */
  readonly nodes: ReadonlyMap<number, readonly BaseNode[]>;
  /** True when a new snapshot may depend on every node. */
  readonly isWhole: boolean;
  readonly source: ChunkSource;
  /** Whether a new snapshot may depend on a chunk. */
  has(id: ChunkId, chunkClass: ChunkClass): boolean;
  /** True when its rows were remembered, so that they need not be written again. */
  readonly isRemembered: boolean;
}

export const accessOf = (base: HomeBase): Pick<TreeBase, 'source' | 'has'> => ({
  source: base.source,
  has: (id, chunkClass) => base.has(id, chunkClass),
});
